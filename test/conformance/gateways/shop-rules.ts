import {
  type Authorizer,
  type CustomProvider,
  createAuthorizer,
  createRequestAuthenticator,
  type RequestAuthenticator,
} from "@signet/authorizer";
import { parseDocuments } from "@signet/documents";
import { testIssuer } from "@signet/jwt/testing";
import { systemClock } from "@signet/runtime";

const issuer = testIssuer({ issuer: "https://issuer.example" });

/** Claims of a token of the suite's issuer. */
export type ShopTokenClaims = { readonly [claim: string]: unknown };

/** A good token for Alice, unless `claims` say otherwise. */
export function tokenFor(claims: ShopTokenClaims = {}): string {
  return issuer.sign({ sub: "alice", aud: ["shop"], tenant: "acme", scope: "read write", ...claims });
}

/** A token whose signature is another's. */
export function forgedToken(): string {
  const [header, payload] = tokenFor({ sub: "admin" }).split(".");
  return `${header}.${payload}.${tokenFor().split(".")[2]}`;
}

function documentFor(forwardOriginalToken: boolean): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "shop", namespace: "shop" },
    spec: {
      jwtRules: [
        {
          ...{ issuer: issuer.issuer, audiences: ["shop"], jwks: issuer.jwks, forwardOriginalToken },
          fromHeaders: [{ name: "Authorization", prefix: "Bearer " }, { name: "x-jwt" }],
          fromParams: ["access_token"],
          fromCookies: ["session"],
          outputPayloadToHeader: "x-payload",
          outputClaimToHeaders: [
            { header: "x-user", claim: "sub" },
            { header: "x-tenant", claim: "tenant" },
          ],
        },
      ],
    },
  });
}

/** An AuthorizationPolicy of the suite's namespace, as JSON. */
export function policy(name: string, spec: object): string {
  const metadata = { name, namespace: "shop" };
  return JSON.stringify({ apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata, spec });
}

/** An authorizer by the rules of the suite and policies besides. */
export function shopAuthorizer(policies: readonly string[], custom?: CustomProvider): Authorizer {
  const documents = parseDocuments([documentFor(false), ...policies].join("\n---\n"), { file: "shop.yaml" });
  if (documents.refused.length > 0) throw new Error("a policy of the suite is refused");
  const dependencies = { clock: systemClock, random: Math.random };
  return createAuthorizer(documents, {}, custom === undefined ? dependencies : { ...dependencies, custom });
}

/** The authenticator of most cases: rules of one issuer, with every place for a token and every output. */
export function shopAuthenticator({
  forwardOriginalToken = false,
}: {
  readonly forwardOriginalToken?: boolean;
} = {}): RequestAuthenticator {
  const documents = parseDocuments(documentFor(forwardOriginalToken), { file: "shop.yaml" });
  return createRequestAuthenticator(documents, {}, { clock: systemClock, random: Math.random });
}
