import { kubernetesSpiffeId, pathOf, SpiffeError, type SpiffeId, type TrustDomain } from "@signet/spiffe";
import type { TokenFileResult } from "../ca-client/token-file.ts";

export type RequestedNames = {
  readonly trustDomain: TrustDomain;
  /** May be empty, as in Istio: then the token's subject is looked at. */
  readonly namespace: string;
  readonly serviceAccount: string;
};

// A CSR needs some name. A CA that follows Istio ignores it, and one that does not must not find a real one by chance.
const unknownName = "unknown";

/**
 * The SPIFFE ID to write into the CSR: a hint only, since the CA names the caller it has authenticated.
 *
 * From the settings; where these are silent, from a token whose subject is a Kubernetes service account.
 */
export function requestedSpiffeId(names: RequestedNames, token: TokenFileResult): SpiffeId {
  const subject = names.namespace !== "" && names.serviceAccount !== "" ? undefined : serviceAccountOf(token);
  try {
    return kubernetesSpiffeId({
      trustDomain: names.trustDomain,
      namespace: names.namespace || (subject?.namespace ?? unknownName),
      serviceAccount: names.serviceAccount || (subject?.serviceAccount ?? unknownName),
    });
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return kubernetesSpiffeId({ trustDomain: names.trustDomain, namespace: unknownName, serviceAccount: unknownName });
  }
}

/** Whether a requested SPIFFE ID stands for "no idea", so that any other in its place is no surprise. */
export function isPlaceholder(spiffeId: SpiffeId): boolean {
  return pathOf(spiffeId) === `/ns/${unknownName}/sa/${unknownName}`;
}

/** Reads the subject without verifying anything, which only the CA can. */
function serviceAccountOf(token: TokenFileResult): { namespace: string; serviceAccount: string } | undefined {
  if (token.kind !== "token") return undefined;
  const subject = subjectOf(token.token.split(".")[1] ?? "");
  const [system, kind, namespace, serviceAccount, ...rest] = subject.split(":");
  if (system !== "system" || kind !== "serviceaccount" || rest.length > 0) return undefined;
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  return { namespace, serviceAccount };
}

function subjectOf(payload: string): string {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    const isObject = typeof claims === "object" && claims !== null && "sub" in claims;
    return isObject && typeof claims.sub === "string" ? claims.sub : "";
  } catch {
    return "";
  }
}
