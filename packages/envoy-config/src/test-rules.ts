import type { JwtRule } from "@signet/documents";

/** The public key of RFC 8037 appendix A.2, as a JWKS. */
export const testJwks =
  '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}' as const;

/** A JWT rule with a key, and nothing else but what is given. */
export function jwtRule(fields: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer: "https://issuer.example",
    audiences: [],
    jwks: testJwks,
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    timeoutMs: 5000,
    spaceDelimitedClaims: [],
    position: { file: "rules.yaml", line: 1, column: 1 },
    ...fields,
  };
}

/** A JWT rule without a key. */
export function keylessRule(fields: Partial<JwtRule> = {}): JwtRule {
  const { jwks: _, ...rule } = jwtRule(fields);
  return rule;
}
