import { parseServiceAccountSubject } from "../authenticators/service-account-id.ts";
import type { TokenHolder } from "./token-checker.ts";

/**
 * Returns whose token it is by its own claims: `sub`, and the object `kubernetes.io` with namespace, service account,
 * and pod and node where it is bound to them. A sentence says what is missing or contradicts itself.
 *
 * A token of the TokenRequest API has all of this; one of the old kind, which never expires, has not.
 */
export function readKubernetesClaims(claims: Readonly<Record<string, unknown>>): TokenHolder | string {
  const account = typeof claims.sub === "string" ? parseServiceAccountSubject(claims.sub) : undefined;
  if (account === undefined) return "claim sub is not system:serviceaccount:<namespace>:<name>";
  const bound = claims["kubernetes.io"];
  if (!isObject(bound)) return "claim kubernetes.io is missing";
  if (bound.namespace !== account.namespace) return "claim kubernetes.io names another namespace than sub";
  const serviceAccount = readReference(bound.serviceaccount);
  if (serviceAccount?.name !== account.serviceAccount) return "claim kubernetes.io names another account than sub";
  const pod = readReference(bound.pod);
  // The API server leaves the UID out where it does not know the node's.
  const node = isObject(bound.node) && isName(bound.node.name) ? { name: bound.node.name } : undefined;
  if (bound.pod !== undefined && pod === undefined) return "claim kubernetes.io has a pod without name or UID";
  if (bound.node !== undefined && node === undefined) return "claim kubernetes.io has a node without a name";
  return {
    ...account,
    ...(pod !== undefined && { podName: pod.name, podUid: pod.uid }),
    ...(node !== undefined && { nodeName: node.name }),
  };
}

type Reference = { readonly name: string; readonly uid: string };

function readReference(value: unknown): Reference | undefined {
  if (!isObject(value)) return undefined;
  const { name, uid } = value;
  return isName(name) && isName(uid) ? { name, uid } : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
