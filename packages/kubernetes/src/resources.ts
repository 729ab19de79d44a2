import type { KubernetesObject, Resource } from "./resource.ts";
import { checkShape, type Shape } from "./shape.ts";

const metadata: Shape = {
  ...{ name: "string", "namespace?": "string", "generateName?": "string", "uid?": "string" },
  ...{ "resourceVersion?": "string", "creationTimestamp?": "string", "deletionTimestamp?": "string" },
  ...{ "labels?": "string-map", "annotations?": "string-map" },
};

/** The kinds that we read and write. */
export const resources: {
  readonly secrets: Resource<Secret>;
  readonly configMaps: Resource<ConfigMap>;
  readonly namespaces: Resource<Namespace>;
  readonly pods: Resource<Pod>;
  readonly serviceAccounts: Resource<ServiceAccount>;
  readonly certificateSigningRequests: Resource<CertificateSigningRequest>;
  readonly leases: Resource<Lease>;
} = {
  secrets: resource({
    ...{ apiVersion: "v1", kind: "Secret", plural: "secrets", namespaced: true },
    shape: { "type?": "string", "data?": "string-map", "immutable?": "boolean" },
  }),
  configMaps: resource({
    ...{ apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true },
    shape: { "data?": "string-map", "binaryData?": "string-map", "immutable?": "boolean" },
  }),
  namespaces: resource({
    ...{ apiVersion: "v1", kind: "Namespace", plural: "namespaces", namespaced: false },
    shape: { "status?": { "phase?": "string" } },
  }),
  pods: resource({
    ...{ apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true },
    shape: { "spec?": { "nodeName?": "string", "serviceAccountName?": "string" }, "status?": { "phase?": "string" } },
  }),
  serviceAccounts: resource({
    ...{ apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts", namespaced: true },
    shape: {},
  }),
  certificateSigningRequests: resource({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    plural: "certificatesigningrequests",
    namespaced: false,
    shape: {
      spec: { request: "string", signerName: "string", "usages?": "string-list", "expirationSeconds?": "number" },
      "status?": {
        "certificate?": "string",
        "conditions?": [{ type: "string", status: "string", "reason?": "string", "message?": "string" }],
      },
    },
  }),
  leases: resource({
    ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease", plural: "leases", namespaced: true },
    shape: {
      "spec?": {
        ...{ "holderIdentity?": "string", "leaseDurationSeconds?": "number", "leaseTransitions?": "number" },
        ...{ "acquireTime?": "string", "renewTime?": "string" },
      },
    },
  }),
};

/** A Secret; `data` is in base64, as on the wire. */
export type Secret = KubernetesObject & {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
};

/** A ConfigMap. */
export type ConfigMap = KubernetesObject & {
  readonly data?: Readonly<Record<string, string>>;
  /** In base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
};

/** A Namespace; its phase is "Active" or "Terminating". */
export type Namespace = KubernetesObject & { readonly status?: { readonly phase?: string } };

/** What we read of a Pod. */
export type Pod = KubernetesObject & {
  readonly spec?: { readonly nodeName?: string; readonly serviceAccountName?: string };
  /** "Pending", "Running", "Succeeded", "Failed" or "Unknown". */
  readonly status?: { readonly phase?: string };
};

/** A ServiceAccount, of which we read only the metadata. */
export type ServiceAccount = KubernetesObject;

/** A request for a certificate to one of the cluster's signers. */
export type CertificateSigningRequest = KubernetesObject & {
  readonly spec: {
    /** A PEM CSR in base64. */
    readonly request: string;
    readonly signerName: string;
    readonly usages?: readonly string[];
    /** At least 600. */
    readonly expirationSeconds?: number;
  };
  readonly status?: {
    /** A PEM chain in base64. */
    readonly certificate?: string;
    readonly conditions?: readonly CertificateSigningRequestCondition[];
  };
};

/** What became of a request: `type` is "Approved", "Denied" or "Failed". */
export type CertificateSigningRequestCondition = {
  readonly type: string;
  /** "True"; for "Approved" and "Denied" nothing else is allowed. */
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
};

/** A Lease, by which replicas agree who leads. */
export type Lease = KubernetesObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
    /** RFC 3339 with microseconds. */
    readonly acquireTime?: string;
    /** RFC 3339 with microseconds. */
    readonly renewTime?: string;
  };
};

function resource<T extends KubernetesObject>(
  options: Omit<Resource<T>, "parse"> & { readonly shape: Shape },
): Resource<T> {
  const { shape, ...description } = options;
  const whole = { metadata, ...shape };
  return {
    ...description,
    parse: function parseObject(value) {
      checkShape(value, whole, description.kind);
      return value as T;
    },
  };
}
