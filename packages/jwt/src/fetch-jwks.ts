import { isUtf8 } from "node:buffer";
import { type Clock, withDeadline } from "@signet/runtime";
import { checkUrl } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";
import { describeUrl, type HttpGet } from "./http-get.ts";
import { type Jwks, parseJwks } from "./jwks.ts";
import { discoveryUrl, parseDiscovery } from "./oidc-discovery.ts";

/** Largest discovery document or JWKS, in bytes. */
export const maxDocumentBytes = 262_144;

/** How long one HTTP request may take, in milliseconds, from name resolution to the last byte. */
export const requestDeadlineMs = 5_000;

/** Where an issuer's keys are, and how to get there. */
export type JwksLocation = {
  readonly issuer: string;
  /** Where the JWKS is; without it, the issuer's discovery document says. */
  readonly jwksUri?: string;
  readonly allowHttp: boolean;
  readonly caPem?: string;
};

/**
 * Fetches an issuer's JWKS, by way of OIDC discovery unless its place is known. At most two requests of 5 s each.
 * @throws JwtError saying which document could not be had, and why
 */
export async function fetchJwks(
  location: JwksLocation,
  dependencies: { readonly clock: Clock; readonly get: HttpGet },
  signal: AbortSignal,
): Promise<Jwks> {
  const jwksUrl = await findJwksUrl(location, dependencies, signal);
  return parseJwks(await fetchDocument(location, jwksUrl, dependencies, signal));
}

/**
 * Throws what `fetchJwks` would find wrong with the location itself, without any traffic.
 * @throws JwtError `url-refused`, `address-refused`
 */
export function checkLocation(location: JwksLocation): void {
  startUrl(location);
}

function startUrl(location: JwksLocation): URL {
  const { issuer, jwksUri, allowHttp } = location;
  if (jwksUri !== undefined) return checkUrl(jwksUri, { what: "JWKS URI", allowHttp });
  return checkUrl(discoveryUrl(issuer), { what: "discovery document", allowHttp });
}

async function findJwksUrl(location: JwksLocation, dependencies: Dependencies, signal: AbortSignal): Promise<URL> {
  const start = startUrl(location);
  if (location.jwksUri !== undefined) return start;
  const discovery = parseDiscovery(await fetchDocument(location, start, dependencies, signal));
  // OpenID Connect Discovery section 4.3: otherwise one issuer could speak for another.
  if (discovery.issuer !== location.issuer) {
    const found = `the discovery document of issuer ${quote(location.issuer)} is of ${quote(discovery.issuer)}`;
    throw new JwtError("issuer-mismatch", found);
  }
  const url = checkUrl(discovery.jwksUri, {
    what: "JWKS URI of the discovery document",
    allowHttp: location.allowHttp,
  });
  if (start.protocol === "https:" && url.protocol !== "https:") {
    throw new JwtError("url-refused", `the discovery document leads from https to ${describeUrl(url)}`);
  }
  return url;
}

type Dependencies = { readonly clock: Clock; readonly get: HttpGet };

async function fetchDocument(
  location: JwksLocation,
  url: URL,
  { clock, get }: Dependencies,
  signal: AbortSignal,
): Promise<string> {
  const { allowHttp, caPem } = location;
  const request = {
    url,
    maxBytes: maxDocumentBytes,
    onlyLoopback: url.protocol === "http:" && !allowHttp,
    ...(caPem === undefined ? {} : { caPem }),
  };
  const what = `GET ${describeUrl(url)}`;
  const response = await withDeadline({ clock, ms: requestDeadlineMs, what }, (s) => get(request, s), signal);
  if (response.status >= 300 && response.status < 400) {
    throw new JwtError("redirect-refused", `${what} answers with redirect ${response.status}, and none is followed`);
  }
  if (response.status !== 200) throw new JwtError("http-status", `${what} answers with status ${response.status}`);
  // A second look: `get` may be someone else's.
  if (response.body.length > maxDocumentBytes) {
    throw new JwtError("response-too-large", `${what} answers with more than ${maxDocumentBytes} bytes`);
  }
  if (!isUtf8(response.body)) throw new JwtError("fetch-failed", `${what} answers with something else than UTF-8`);
  return Buffer.from(response.body).toString("utf8");
}
