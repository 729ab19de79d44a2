import { type Setting, setting } from "@signet/runtime";
import { type JwtRule, parseJwtRules } from "../token-issuers.ts";

/** Who may ask for certificates. Durations in milliseconds. */
export type CallerSettingValues = {
  readonly jwtRules: readonly JwtRule[];
  readonly tokenIssuer: string;
  readonly tokenIssuerAudience: string;
  readonly tokenAudiences: readonly string[];
  readonly tokenVerification: "review" | "local";
  readonly reviewCacheTtlMs: number;
  readonly trustedGatewayCidrs: readonly string[];
  readonly trustedNodeAccounts: readonly string[];
};

/** Tokens, gateways and node proxies. */
export const callerSettings: { readonly [Name in keyof CallerSettingValues]: Setting<CallerSettingValues[Name]> } = {
  jwtRules: setting.json({
    env: "JWT_RULE",
    flag: "jwt-rule",
    default: [],
    read: parseJwtRules,
    description:
      "OIDC issuers whose tokens count: one JWTRule as JSON (issuer, jwksUri, audiences) or an array of them",
  }),
  tokenIssuer: setting.text({
    env: "TOKEN_ISSUER",
    flag: "token-issuer",
    default: "",
    description: "one more OIDC issuer whose tokens count, its keys found by discovery",
  }),
  tokenIssuerAudience: setting.text({
    env: "AUDIENCE",
    flag: "audience",
    default: "",
    description: "audience of the tokens of TOKEN_ISSUER; TOKEN_AUDIENCES unless set",
  }),
  tokenAudiences: setting.list({
    env: "TOKEN_AUDIENCES",
    flag: "token-audiences",
    default: ["istio-ca"],
    description: "audiences, one of which a token must name where its issuer's rule names none",
  }),
  tokenVerification: setting.choice({
    env: "SIGNET_KUBERNETES_TOKEN_VERIFICATION",
    flag: "kubernetes-token-verification",
    choices: ["review", "local"],
    default: "review",
    description:
      "how Kubernetes tokens are verified: the API server is asked about each, or its keys are used, which cannot see deleted pods and accounts",
  }),
  reviewCacheTtlMs: setting.duration({
    env: "SIGNET_TOKEN_REVIEW_CACHE_TTL",
    flag: "token-review-cache-ttl",
    default: 10_000,
    maxMs: 60_000,
    description: "how long the API server's yes to a token counts, never past the token's expiry; 0s asks every time",
  }),
  trustedGatewayCidrs: setting.list({
    env: "TRUSTED_GATEWAY_CIDR",
    flag: "trusted-gateway-cidr",
    default: [],
    description:
      "networks of gateways whose x-forwarded-client-cert names callers; nobody's unless set, not even loopback's",
  }),
  trustedNodeAccounts: setting.list({
    env: "CA_TRUSTED_NODE_ACCOUNTS",
    flag: "ca-trusted-node-accounts",
    default: [],
    description: "service accounts <namespace>/<name> of node proxies, which may ask for the workloads on their node",
  }),
};
