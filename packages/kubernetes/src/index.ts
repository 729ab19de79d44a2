export { type ClusterLimits, type ClusterSource, connectCluster } from "./connect-cluster.ts";
export { KubernetesError, type KubernetesErrorCode } from "./errors.ts";
export type {
  IssuedToken,
  KubernetesApi,
  ListQuery,
  ObjectList,
  SubresourceOf,
  TokenRequest,
  TokenReviewRequest,
  TokenReviewStatus,
  TokenUser,
  WatchEvent,
} from "./kubernetes-api.ts";
export { type Mirror, type MirrorChange, type MirrorOptions, type MirrorState, mirror } from "./mirror.ts";
export type { KubernetesObject, ObjectMeta, ObjectName, Resource } from "./resource.ts";
export {
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
  type ConfigMap,
  type Lease,
  type Namespace,
  type Pod,
  resources,
  type Secret,
  type ServiceAccount,
} from "./resources.ts";
