import { isUtf8 } from "node:buffer";
import { type Clock, withDeadline } from "@signet/runtime";
import { checkUrl } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";
import { describeUrl, type HttpGet, type HttpGetRequest, type HttpGetResponse } from "./http-get.ts";
import { type Jwks, parseJwks } from "./jwks.ts";
import { discoveryUrl, parseDiscovery } from "./oidc-discovery.ts";
import { type CredentialFiles, readBearerToken, readTrustedCa } from "./request-credentials.ts";

/** Largest discovery document or JWKS, in bytes. */
export const maxDocumentBytes = 262_144;

/** How long one HTTP request may take, in milliseconds, from name resolution to the last byte. */
export const requestDeadlineMs = 5_000;

/** Where an issuer's keys are, and how to get there. */
export type JwksLocation = CredentialFiles & {
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
  const { issuer, jwksUri } = location;
  // A token in plain text would be everybody's.
  const allowHttp = location.allowHttp && location.bearerTokenFile === undefined;
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
  const what = `GET ${describeUrl(url)}`;
  const send = async (s: AbortSignal): Promise<HttpGetResponse> => get(await requestFor(location, url), s);
  const response = await withDeadline({ clock, ms: requestDeadlineMs, what }, send, signal);
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

/** What a request to `url` is made of. Only one to the origin that the issuer was configured with carries its token. */
async function requestFor(location: JwksLocation, url: URL): Promise<HttpGetRequest> {
  const { allowHttp, bearerTokenFile, caFile } = location;
  const own = url.origin === startUrl(location).origin;
  const bearerToken = own && bearerTokenFile !== undefined ? await readBearerToken(bearerTokenFile) : undefined;
  const caPem = caFile === undefined ? location.caPem : await readTrustedCa(caFile);
  return {
    url,
    maxBytes: maxDocumentBytes,
    onlyLoopback: url.protocol === "http:" && (!allowHttp || bearerToken !== undefined),
    ...(caPem === undefined ? {} : { caPem }),
    ...(bearerToken === undefined ? {} : { bearerToken }),
  };
}
