import { audiencesOf, type DecodedToken } from "../text/decode-token.ts";
import { describeNumericDate } from "../text/describe-instant.ts";
import { issuerDifference, nearestText } from "../text/nearest-text.ts";
import type { ServerView, TokenVerdict } from "./token-verdict.ts";

/** What there is to know before hints are given. */
export type HintContext = {
  readonly decoded: DecodedToken;
  readonly server: ServerView;
  readonly now: Date;
  /** Key ids by issuer, of the JWKS files that were given. */
  readonly keyIds: ReadonlyMap<string, readonly string[]>;
};

/** What would change a verdict that is not "accepts", or where to look; in the order of usefulness. */
export function hintsFor(verdict: TokenVerdict, context: HintContext): readonly string[] {
  const { decoded } = context;
  if (verdict.verdict === "accepts" || verdict.reason === undefined || decoded.kind !== "decoded") return [];
  const { claims, header } = decoded;
  const issuer = typeof claims.iss === "string" ? claims.iss : undefined;
  switch (verdict.reason) {
    case "issuer-unknown":
      return issuerHints(issuer, verdict, context.server);
    case "audience-mismatch":
      return audienceHints(audiencesOf(claims), acceptedAudiences(verdict, issuer, context.server));
    case "keys-unavailable":
      return keyHints(issuer, verdict, context);
    case "key-not-found":
    case "key-unsuitable":
      return [
        `the token names key ${show(header.kid)} and algorithm ${show(header.alg)}`,
        ...keyIdHints(issuer, context),
      ];
    case "signature-invalid":
      return [
        "the token was altered, or signed by somebody else, or the keys given are of another issuer of that name",
      ];
    case "token-expired":
      return [
        `it expired ${describeNumericDate(claims.exp, context.now)}`,
        "read the token anew: a projected token is replaced in its file when a fifth of its lifetime is left",
      ];
    case "token-not-yet-valid":
      return ["compare the clocks of the issuer and of this machine; --now judges at another instant"];
    case "expiry-missing":
      return [
        "a token without exp is of the old kind, kept in a Secret: use a projected one or `kubectl create token`",
      ];
    case "subject-not-service-account":
      return [`the token is about ${show(claims.sub)}, and the CA names workloads by service account only`];
    case "pod-claims-missing":
      return [
        "needed is what the TokenRequest API writes: kubernetes.io with namespace and serviceaccount {name, uid}, and with" +
          " pod {name, uid} and node {name} where the token is projected into a pod",
      ];
    default:
      return [];
  }
}

function issuerHints(issuer: string | undefined, verdict: TokenVerdict, server: ServerView): readonly string[] {
  if (issuer === undefined) return ["a token without iss is nobody's"];
  if (verdict.authenticator !== "oidc-token") return [];
  const known = server.oidcIssuers.map((one) => one.issuer);
  if (known.length === 0) return [`to trust this one: JWT_RULE='{"issuer":${show(issuer)},"audiences":["istio-ca"]}'`];
  const nearest = nearestText(issuer, known);
  return [
    ...(nearest === undefined
      ? []
      : [`nearest configured issuer: ${show(nearest)}; ${issuerDifference(issuer, nearest)}`]),
    `configured: ${known.slice(0, 10).map(show).join(", ")}`,
  ];
}

function acceptedAudiences(
  { authenticator }: TokenVerdict,
  issuer: string | undefined,
  server: ServerView,
): readonly string[] {
  if (authenticator === "kubernetes-token") return server.kubernetes.audiences;
  return server.oidcIssuers.find((known) => known.issuer === issuer)?.audiences ?? [];
}

function audienceHints(audiences: readonly string[], accepted: readonly string[]): readonly string[] {
  return [
    `the token is for ${audiences.map(show).join(", ") || "nobody"}`,
    `accepted: ${accepted.map(show).join(", ") || "none"}, by TOKEN_AUDIENCES or the issuer's rule`,
  ];
}

function keyHints(issuer: string | undefined, verdict: TokenVerdict, { keyIds }: HintContext): readonly string[] {
  const name = issuer ?? "<issuer>";
  const source =
    verdict.authenticator === "kubernetes-token"
      ? "kubectl get --raw /openid/v1/jwks > keys.json"
      : "the issuer's JWKS";
  const others = [...keyIds.keys()].filter((one) => one !== issuer);
  return [
    `to check the signature: --jwks ${name}=keys.json (${source})`,
    ...(others.length === 0
      ? []
      : [`keys were given of ${others.slice(0, 10).map(show).join(", ")}, and not of its issuer`]),
  ];
}

function keyIdHints(issuer: string | undefined, { keyIds }: HintContext): readonly string[] {
  const known = issuer === undefined ? undefined : keyIds.get(issuer);
  if (known === undefined) return [];
  const shown = known.slice(0, 20).map(show).join(", ");
  return [`keys given of its issuer: ${shown}; they are as old as their file`];
}

function show(value: unknown): string {
  return value === undefined ? "none" : (JSON.stringify(value) ?? "none").slice(0, 200);
}
