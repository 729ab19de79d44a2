import type { AuthenticationResult, Authenticator } from "@signet/ca";
import type { TrustDomain } from "@signet/spiffe";
import type { ClusterDirectory } from "../clusters/cluster-directory.ts";
import type { TokenHolder } from "../clusters/token-checker.ts";
import { serviceAccountId } from "./service-account-id.ts";

/**
 * Knows callers by a token of a Kubernetes service account, for which the API server of the cluster that they say they
 * are in vouches; a cluster's word is about service accounts of any namespace, as everywhere in Istio.
 */
export function createKubernetesTokenAuthenticator(options: {
  readonly clusters: ClusterDirectory;
  readonly trustDomain: TrustDomain;
}): Authenticator {
  return {
    name: "kubernetes-token",
    async authenticate({ bearerToken, clusterId, peerAddress }, signal): Promise<AuthenticationResult> {
      signal.throwIfAborted();
      if (bearerToken === undefined) return { kind: "not-applicable" };
      const lookup = options.clusters.find(clusterId);
      const name = JSON.stringify((clusterId ?? "").slice(0, 100));
      switch (lookup.kind) {
        case "unavailable":
          return unavailable(`cluster ${name} is not known, and remote clusters cannot be listed now`);
        case "unknown":
          return {
            kind: "rejected",
            reason: "cluster-unknown",
            cause: `cluster ${name} is none of ${lookup.known.join(", ")}`,
          };
        case "found": {
          const { cluster } = lookup;
          const verdict = await cluster.tokens.check(bearerToken, peerAddress, signal);
          if (verdict.kind !== "known") return verdict;
          return authenticated(verdict.holder, { clusterId: cluster.id, trustDomain: options.trustDomain });
        }
      }
    },
  };
}

function unavailable(detail: string): AuthenticationResult {
  return { kind: "unavailable", reason: "api-server-unavailable", cause: detail };
}

function authenticated(
  holder: TokenHolder,
  { clusterId, trustDomain }: { readonly clusterId: string; readonly trustDomain: TrustDomain },
): AuthenticationResult {
  const spiffeId = serviceAccountId(holder, trustDomain);
  return { kind: "authenticated", caller: { spiffeId, source: "token", kubernetes: { ...holder, clusterId } } };
}
