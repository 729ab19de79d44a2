import type { TargetReference, WorkloadSelector } from "./attachment.ts";
import type { DocumentPosition } from "./document-problem.ts";

/** What becomes of a request that a policy's rules match. */
export type AuthorizationAction = "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";

/** Which requests to some workloads are allowed, denied, marked, or put to somebody else. */
export type AuthorizationPolicy = {
  readonly kind: "AuthorizationPolicy";
  readonly namespace: string;
  readonly name: string;
  /** Absent for all workloads of the namespace, unless there are `targetRefs`. */
  readonly selector?: WorkloadSelector;
  /** At most 16, and none where there is a selector. */
  readonly targetRefs: readonly TargetReference[];
  /** Default ALLOW. */
  readonly action: AuthorizationAction;
  /** The name of an entry of `extensionProviders` in the mesh config; there exactly if the action is CUSTOM. */
  readonly provider?: string;
  /** Whether it is watched and not enforced: annotation `istio.io/dry-run`. */
  readonly dryRun: boolean;
  /** One of them must match; at most 512. None match nothing, absent or empty alike. */
  readonly rules: readonly AuthorizationRule[];
  readonly position: DocumentPosition;
};

/** Matches where a source, an operation and every condition match. */
export type AuthorizationRule = {
  /** One of them must match; none are any source. At most 512. */
  readonly from: readonly AuthorizationSource[];
  /** One of them must match; none are any operation. At most 512. */
  readonly to: readonly AuthorizationOperation[];
  readonly when: readonly AuthorizationCondition[];
  readonly position: DocumentPosition;
};

/** Who a request is from: every field that is not empty must match, each by one of its values; `not...` by none of them. */
export type AuthorizationSource = Readonly<Record<SourceField, readonly string[]>> & {
  readonly position: DocumentPosition;
};

export type SourceField =
  | ("principals" | "notPrincipals" | "requestPrincipals" | "notRequestPrincipals")
  | ("namespaces" | "notNamespaces" | "serviceAccounts" | "notServiceAccounts" | "trustDomains" | "notTrustDomains")
  | ("ipBlocks" | "notIpBlocks" | "remoteIpBlocks" | "notRemoteIpBlocks");

/** What a request asks for, combined as in a source. */
export type AuthorizationOperation = Readonly<Record<OperationField, readonly string[]>> & {
  readonly position: DocumentPosition;
};

export type OperationField =
  | ("hosts" | "notHosts" | "ports" | "notPorts")
  | ("methods" | "notMethods" | "paths" | "notPaths");

/** What an attribute must be: one of `values` if there are any, and none of `notValues`. */
export type AuthorizationCondition = {
  /** As written, such as `request.headers[x-token]`; an attribute there is. */
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  readonly position: DocumentPosition;
};
