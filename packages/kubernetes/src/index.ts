export type { MirrorState } from "./collection-follower.ts";
export { type ClusterSource, connectCluster } from "./connect-cluster.ts";
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
export type { ClusterLimits } from "./kubernetes-client.ts";
export { type Mirror, type MirrorOptions, mirror } from "./mirror.ts";
export type { MirrorChange } from "./mirror-contents.ts";
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
