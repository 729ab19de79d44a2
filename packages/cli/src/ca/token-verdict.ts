import type { AuthenticationReason, AuthenticationResult } from "@signet/ca";
import type { OfflineAuthenticators } from "@signet/ca-server";
import { errorMessage } from "@signet/runtime";
import { boundObjects, type DecodedToken } from "../text/decode-token.ts";

/** What one authenticator of the CA server would say of the token, as far as can be told offline. */
export type TokenVerdict = {
  readonly authenticator: "client-certificate" | "oidc-token" | "kubernetes-token" | "forwarded-client-cert";
  /** How Kubernetes tokens are verified; other authenticators have but one way. */
  readonly mode?: "review" | "local";
  /** Whether the server asks it at all. */
  readonly configured: boolean;
  readonly verdict: "accepts" | "refuses" | "cannot-tell" | "not-applicable";
  readonly spiffeId?: string;
  readonly reason?: AuthenticationReason;
  /** What it found, for people. */
  readonly detail: string;
  /** What nobody can know offline and would turn "accepts" into "refuses". */
  readonly unless?: readonly string[];
};

/** What the verdicts depend on besides the token. */
export type ServerView = {
  readonly authenticators: OfflineAuthenticators;
  readonly oidcIssuers: readonly { readonly issuer: string; readonly audiences: readonly string[] }[];
  readonly kubernetes: { readonly verification: "review" | "local"; readonly audiences: readonly string[] };
  readonly gatewaysTrusted: boolean;
};

/** Asks the authenticators about `token`, in the order in which the server asks them. */
export async function judgeToken(
  { token, decoded }: { readonly token: string; readonly decoded: DecodedToken },
  server: ServerView,
  signal: AbortSignal,
): Promise<readonly TokenVerdict[]> {
  const presented = { bearerToken: token, peerAddress: "offline", transport: "tls" } as const;
  const { oidcToken, kubernetesToken } = server.authenticators;
  const oidc = await oidcToken?.authenticate(presented, signal);
  const local = await kubernetesToken(issuerOf(decoded)).authenticate(presented, signal);
  return [
    {
      authenticator: "client-certificate",
      configured: true,
      verdict: "not-applicable",
      detail: "it reads the certificate that the client shows in TLS, and no token",
    },
    oidcVerdict(oidc),
    ...kubernetesVerdicts(local, decoded, server),
    {
      authenticator: "forwarded-client-cert",
      configured: server.gatewaysTrusted,
      verdict: "not-applicable",
      detail: "it reads the header x-forwarded-client-cert of trusted gateways, and no token",
    },
  ];
}

/** The issuer that a token names; where it names none, a name that no token has. */
function issuerOf(decoded: DecodedToken): string {
  const iss = decoded.kind === "decoded" ? decoded.claims.iss : undefined;
  return typeof iss === "string" && iss !== "" ? iss : "an issuer that no token names";
}

type Judgement = Omit<TokenVerdict, "authenticator" | "mode" | "configured">;

function oidcVerdict(result: AuthenticationResult | undefined): TokenVerdict {
  const about = { authenticator: "oidc-token", configured: result !== undefined } as const;
  if (result !== undefined) return { ...about, ...judgementOf(result) };
  const detail = "no OIDC issuer is configured (JWT_RULE, TOKEN_ISSUER)";
  return { ...about, verdict: "refuses", reason: "issuer-unknown", detail };
}

function kubernetesVerdicts(
  result: AuthenticationResult,
  decoded: DecodedToken,
  server: ServerView,
): readonly TokenVerdict[] {
  const local = ofServerIssuer(judgementOf(result), decoded, server);
  const byMode = { review: asReviewed(local, decoded), local: asSeenLocally(local) };
  return (["review", "local"] as const).map((mode) => ({
    authenticator: "kubernetes-token",
    mode,
    configured: mode === server.kubernetes.verification,
    ...byMode[mode],
  }));
}

function judgementOf(result: AuthenticationResult): Judgement {
  switch (result.kind) {
    case "authenticated":
      return { verdict: "accepts", spiffeId: result.caller.spiffeId, detail: "signature, times and claims are good" };
    case "not-applicable":
      return { verdict: "not-applicable", detail: "it reads another credential" };
    case "rejected":
      return { verdict: "refuses", reason: result.reason, detail: errorMessage(result.cause) };
    case "unavailable":
      return { verdict: "cannot-tell", reason: result.reason, detail: errorMessage(result.cause) };
  }
}

/** Keys of an OIDC issuer say nothing of the API server, which need not sign as that issuer. */
function ofServerIssuer(judgement: Judgement, decoded: DecodedToken, { oidcIssuers }: ServerView): Judgement {
  const oidc = oidcIssuers.some(({ issuer }) => issuer === issuerOf(decoded));
  if (judgement.verdict !== "cannot-tell" || !oidc) return judgement;
  return {
    verdict: "cannot-tell",
    detail: "its issuer is configured as an OIDC issuer, and may be the API server's too",
  };
}

function asSeenLocally(local: Judgement): Judgement {
  return local.verdict === "accepts" ? { ...local, detail: `${local.detail}; deletions are not seen this way` } : local;
}

/** What the API server would say, by what its keys and the token's claims say already. */
function asReviewed(local: Judgement, decoded: DecodedToken): Judgement {
  const claims = decoded.kind === "decoded" ? decoded.claims : {};
  switch (local.verdict) {
    case "accepts":
      return { ...local, unless: boundObjects(claims).map((object) => `${object} has been deleted`) };
    case "cannot-tell":
      return { ...local, detail: `only the API server can say: ${local.detail}` };
    case "not-applicable":
      return local;
    case "refuses":
      return mayBeOlderKind(local.reason) ? olderKind(claims, local) : local;
  }
}

/** Whether the API server accepts tokens of which local verification says this: those without expiry and bound claims. */
function mayBeOlderKind(reason: AuthenticationReason | undefined): boolean {
  return reason === "expiry-missing" || reason === "pod-claims-missing";
}

function olderKind({ sub }: Readonly<Record<string, unknown>>, local: Judgement): Judgement {
  if (typeof sub !== "string" || !/^system:serviceaccount:[^:]+:[^:]+$/.test(sub)) {
    const detail = "claim sub is not system:serviceaccount:<namespace>:<name>";
    return { verdict: "refuses", reason: "subject-not-service-account", detail };
  }
  const detail = `only the API server can say: ${local.detail}, and it may know the token all the same`;
  return { ...local, verdict: "cannot-tell", detail };
}
