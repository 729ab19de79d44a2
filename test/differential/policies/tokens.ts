import { createHmac, randomBytes } from "node:crypto";
import { type JwtRule, parseDocuments } from "@signet/documents";
import { tokenIssuers } from "./instances.ts";

const secret = randomBytes(32);

/** The rules of the workload: one for each issuer, all with one secret. */
export const jwtRules: readonly JwtRule[] = readRules();

/** The document that they stand in. */
export function jwtDocument(): string {
  const jwks = JSON.stringify({ keys: [{ kty: "oct", k: secret.toString("base64url") }] });
  const document = {
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "jwt", namespace: "foo" },
    spec: { jwtRules: tokenIssuers.map((issuer) => ({ issuer, jwks, fromHeaders: [{ name: "x-jwt" }] })) },
  };
  return JSON.stringify(document);
}

function readRules(): readonly JwtRule[] {
  const { documents, refused } = parseDocuments(jwtDocument(), { file: "jwt.yaml" });
  const [read] = documents;
  if (read?.kind !== "RequestAuthentication") throw new Error(JSON.stringify(refused));
  return read.jwtRules;
}

/** Returns a token with these claims. */
export function tokenOf(claims: Readonly<Record<string, unknown>>): string {
  const input = [{ alg: "HS256" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}
