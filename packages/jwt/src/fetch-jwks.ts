import { isUtf8 } from "node:buffer";
import { type Clock, withDeadline } from "@signet/runtime";
import type { AddressGuard } from "./address-guard.ts";
import { checkUrl } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";
import { describeUrl, type HttpGet, type HttpGetRequest, type HttpGetResponse } from "./http-get.ts";
import { type Jwks, parseJwks } from "./jwks.ts";
import { discoveryUrl, parseDiscovery } from "./oidc-discovery.ts";
import type { ProxyOf } from "./proxy.ts";
import { type CredentialFiles, readBearerToken, readTrustedCa } from "./request-credentials.ts";

/** Largest discovery document or JWKS, in bytes. */
export const maxDocumentBytes = 262_144;

/** How long one document may take unless it is said otherwise, in milliseconds: all redirects, from name resolution to the last byte. */
export const defaultTimeoutMs = 5_000;

/** The longest that may be asked for. */
const maxTimeoutMs = 60_000;

/** Where an issuer's keys are, and how to get there. */
export type JwksLocation = CredentialFiles & {
  readonly issuer: string;
  /** Where the JWKS is; without it, the issuer's discovery document says. */
  readonly jwksUri?: string;
  readonly allowHttp: boolean;
  readonly caPem?: string;
  readonly guard?: AddressGuard;
  /** Through which proxy a URL is reached; directly unless given. */
  readonly proxyOf?: ProxyOf;
  /** Most redirects that are followed for one document; 3 unless given. */
  readonly maxRedirects?: number;
  /** How long one document may take, at most 60 s; 5 s unless given. */
  readonly timeoutMs?: number;
};

const defaultMaxRedirects = 3;

/**
 * Fetches an issuer's JWKS, by way of OIDC discovery unless its place is known. At most two documents of 5 s each, redirects included.
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
 * @throws JwtError `url-refused`, `address-refused`, `issuer-invalid`
 */
export function checkLocation(location: JwksLocation): void {
  startUrl(location);
  if (location.caPem !== undefined && location.caFile !== undefined) {
    throw new JwtError("issuer-invalid", `issuer ${quote(location.issuer)} has certificates given in two ways`);
  }
}

/** The URL that whoever configured the issuer named or meant; a token is shown there and nowhere else. */
function startUrl(location: JwksLocation): URL {
  const { issuer, jwksUri, guard } = location;
  // A token in plain text would be everybody's.
  const allowHttp = location.allowHttp && location.bearerTokenFile === undefined;
  const rules = { allowHttp, ...(guard === undefined ? {} : { guard }) };
  if (jwksUri !== undefined) return checkUrl(jwksUri, { what: "JWKS URI", ...rules });
  return checkUrl(discoveryUrl(issuer), { what: "discovery document", ...rules });
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
  return furtherUrl(location, { text: discovery.jwksUri, from: start, what: "JWKS URI of the discovery document" });
}

/** A URL that an answer from `from` has named: as good as the first, and never without TLS where `from` had it. */
function furtherUrl(location: JwksLocation, { text, from, what }: FurtherUrl): URL {
  const { allowHttp, guard } = location;
  const url = checkUrl(text, { what, allowHttp, ...(guard === undefined ? {} : { guard }) });
  if (from.protocol === "https:" && url.protocol !== "https:") {
    throw new JwtError("url-refused", `${what} leads from https to ${describeUrl(url)}`);
  }
  return url;
}

type FurtherUrl = { readonly text: string; readonly from: URL; readonly what: string };

type Dependencies = { readonly clock: Clock; readonly get: HttpGet };

async function fetchDocument(
  location: JwksLocation,
  url: URL,
  { clock, get }: Dependencies,
  signal: AbortSignal,
): Promise<string> {
  const what = `GET ${describeUrl(url)}`;
  const send = (s: AbortSignal): Promise<HttpGetResponse> => followRedirects(location, { url, get }, s);
  const ms = Math.min(location.timeoutMs ?? defaultTimeoutMs, maxTimeoutMs);
  const response = await withDeadline({ clock, ms, what }, send, signal);
  if (response.status !== 200) throw new JwtError("http-status", `${what} answers with status ${response.status}`);
  // A second look: `get` may be someone else's.
  if (response.body.length > maxDocumentBytes) {
    throw new JwtError("response-too-large", `${what} answers with more than ${maxDocumentBytes} bytes`);
  }
  if (!isUtf8(response.body)) throw new JwtError("fetch-failed", `${what} answers with something else than UTF-8`);
  return Buffer.from(response.body).toString("utf8");
}

/** The first answer that is no redirect. Every place on the way is checked as the first one was, before it is asked. */
async function followRedirects(
  location: JwksLocation,
  { url, get }: { readonly url: URL; readonly get: HttpGet },
  signal: AbortSignal,
): Promise<HttpGetResponse> {
  const { maxRedirects = defaultMaxRedirects } = location;
  let at = url;
  for (let followed = 0; ; followed++) {
    const response = await get(await requestFor(location, at), signal);
    if (response.status < 300 || response.status >= 400) return response;
    const what = `redirect ${response.status} of ${describeUrl(at)}`;
    if (followed === maxRedirects) throw new JwtError("redirect-refused", `${what} is one more than ${maxRedirects}`);
    const next = response.location === undefined ? null : URL.parse(response.location, at);
    if (next === null) throw new JwtError("redirect-refused", `${what} leads nowhere`);
    at = furtherUrl(location, { text: next.href, from: at, what });
  }
}

/** What a request to `url` is made of. Only one to the origin that the issuer was configured with carries its token. */
async function requestFor(location: JwksLocation, url: URL): Promise<HttpGetRequest> {
  const { allowHttp, bearerTokenFile, caFile, guard, proxyOf } = location;
  const own = url.origin === startUrl(location).origin;
  const bearerToken = own && bearerTokenFile !== undefined ? await readBearerToken(bearerTokenFile) : undefined;
  const caPem = caFile === undefined ? location.caPem : await readTrustedCa(caFile);
  const onlyLoopback = url.protocol === "http:" && (!allowHttp || bearerToken !== undefined);
  const proxy = onlyLoopback ? undefined : proxyOf?.(url);
  return {
    url,
    maxBytes: maxDocumentBytes,
    onlyLoopback,
    ...(guard === undefined ? {} : { guard }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(caPem === undefined ? {} : { caPem }),
    ...(bearerToken === undefined ? {} : { bearerToken }),
  };
}
