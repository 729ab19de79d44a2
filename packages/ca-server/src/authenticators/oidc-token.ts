import type { AuthenticationReason, AuthenticationResult, Authenticator } from "@signet/ca";
import type { JwtVerifier } from "@signet/jwt";
import type { Clock } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import { parseServiceAccountSubject, serviceAccountId } from "./service-account-id.ts";
import { rejectionReasons } from "./token-rejection.ts";

/**
 * Knows callers by a JWT of a trusted OIDC issuer whose subject is a Kubernetes service account.
 *
 * `exp` is final, as in istiod: the verifier's clock skew is for tokens that are a little too new, which the API server
 * and this machine may disagree about, and not a longer life for old ones.
 */
export function createOidcTokenAuthenticator(
  options: { readonly verifier: JwtVerifier; readonly trustDomain: TrustDomain },
  clock: Clock,
): Authenticator {
  return {
    name: "oidc-token",
    async authenticate(presented, signal): Promise<AuthenticationResult> {
      if (presented.bearerToken === undefined) return { kind: "not-applicable" };
      const result = await options.verifier.verify(presented.bearerToken, signal);
      if (result.kind === "unavailable") return { kind: "unavailable", reason: result.code, cause: result.detail };
      if (result.kind === "rejected") return rejected(rejectionReasons[result.code], result.detail);
      const { exp } = result.claims;
      if (typeof exp !== "number" || exp * 1000 <= clock.now().getTime()) {
        return rejected("token-expired", "token expired within the allowed clock skew");
      }
      const account = parseServiceAccountSubject(result.subject);
      if (account === undefined) {
        return rejected("subject-not-service-account", "claim sub is not system:serviceaccount:<namespace>:<name>");
      }
      const spiffeId = serviceAccountId(account, options.trustDomain);
      return { kind: "authenticated", caller: { spiffeId, source: "token" } };
    },
  };
}

function rejected(reason: AuthenticationReason, detail: string): AuthenticationResult {
  return { kind: "rejected", reason, cause: detail };
}
