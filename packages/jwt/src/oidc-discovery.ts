import { JwtError } from "./errors.ts";
import { parseJsonObject } from "./strict-json.ts";

/** What is read of a discovery document (OpenID Connect Discovery section 3). */
export type Discovery = { readonly issuer: string; readonly jwksUri: string };

/** Where an issuer's discovery document is (OpenID Connect Discovery section 4: a slash at the end is dropped first). */
export function discoveryUrl(issuer: string): string {
  return `${issuer.endsWith("/") ? issuer.slice(0, -1) : issuer}/.well-known/openid-configuration`;
}

/**
 * Returns what a discovery document says; whether it speaks for the right issuer is the caller's to compare.
 * @throws JwtError `discovery-malformed`
 */
export function parseDiscovery(text: string): Discovery {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseJsonObject(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "malformed";
    throw new JwtError("discovery-malformed", `the discovery document is ${why}`);
  }
  const { issuer, jwks_uri: jwksUri } = document;
  if (typeof issuer !== "string") throw new JwtError("discovery-malformed", "the discovery document has no issuer");
  if (typeof jwksUri !== "string") throw new JwtError("discovery-malformed", "the discovery document has no jwks_uri");
  return { issuer, jwksUri };
}
