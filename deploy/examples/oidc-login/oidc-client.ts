import { createHash } from "node:crypto";

/** This gateway at its provider. */
export type ClientOptions = {
  /** Exactly as the provider calls itself. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client, which has PKCE alone. */
  readonly clientSecret: string | undefined;
  /** Where the provider sends browsers back to. */
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
};

/** The secrets of one login. */
export type LoginSecrets = { readonly state: string; readonly nonce: string; readonly codeVerifier: string };

/** The provider, as far as a login needs it. */
export interface OidcClient {
  readonly jwksUri: string;
  /** Whether `iss` must come back with the code (RFC 9207). */
  readonly namesIssuer: boolean;
  authorizationUrl(secrets: LoginSecrets): string;
  /** The ID token that a code is good for, not verified yet. Rejects when the provider gives none. */
  exchange(login: { readonly code: string; readonly codeVerifier: string }, signal: AbortSignal): Promise<string>;
  /** Where a browser ends its session at the provider; undefined when the provider has no such place. */
  logoutUrl(): string | undefined;
}

const timeoutMs = 5_000;
const maxAnswerBytes = 65_536;

/** Returns the client of a provider by its discovery document. Rejects when the provider does not do what this client relies on. */
export async function discoverClient(options: ClientOptions, signal: AbortSignal): Promise<OidcClient> {
  const { issuer } = options;
  const where = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const metadata = await fetchJson(where, { method: "GET" }, signal);
  if (metadata.issuer !== issuer) throw new Error("the discovery document names another issuer");
  const methods = metadata.code_challenge_methods_supported;
  // Without it a code that somebody else got hold of would be enough to log in.
  if (!Array.isArray(methods) || !methods.includes("S256")) throw new Error("the provider does not do PKCE with S256");
  const endpoint = (name: string): string => endpointUrl(metadata, name, issuer);
  const places = {
    authorization: endpoint("authorization_endpoint"),
    token: endpoint("token_endpoint"),
    logout: metadata.end_session_endpoint === undefined ? undefined : endpoint("end_session_endpoint"),
  };
  return {
    jwksUri: endpoint("jwks_uri"),
    namesIssuer: metadata.authorization_response_iss_parameter_supported === true,
    authorizationUrl: (secrets) => authorizationUrl(places.authorization, { options, secrets }),
    exchange: (login, until) => exchange(places.token, { options, login }, until),
    logoutUrl: () => (places.logout === undefined ? undefined : logoutUrl(places.logout, options)),
  };
}

type Json = Readonly<Record<string, unknown>>;

/** https, or http where the issuer itself is http: a provider on this machine. */
function endpointUrl(metadata: Json, name: string, issuer: string): string {
  const value = metadata[name];
  const url = typeof value === "string" ? URL.parse(value) : null;
  const schemes = new URL(issuer).protocol === "https:" ? ["https:"] : ["https:", "http:"];
  if (url === null || !schemes.includes(url.protocol)) throw new Error(`the discovery document has no usable ${name}`);
  return url.href;
}

function authorizationUrl(
  endpoint: string,
  { options, secrets }: { readonly options: ClientOptions; readonly secrets: LoginSecrets },
): string {
  const url = new URL(endpoint);
  const challenge = createHash("sha256").update(secrets.codeVerifier).digest("base64url");
  const parameters = {
    ...{ response_type: "code", client_id: options.clientId, redirect_uri: options.redirectUri, scope: "openid email" },
    ...{ state: secrets.state, nonce: secrets.nonce, code_challenge: challenge, code_challenge_method: "S256" },
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Without `id_token_hint`: a token in a URL is a token in histories and logs. */
function logoutUrl(endpoint: string, { clientId, postLogoutRedirectUri }: ClientOptions): string {
  const url = new URL(endpoint);
  url.searchParams.set("client_id", clientId);
  url.searchParams.set("post_logout_redirect_uri", postLogoutRedirectUri);
  return url.href;
}

async function exchange(
  endpoint: string,
  {
    options,
    login,
  }: { readonly options: ClientOptions; readonly login: { readonly code: string; readonly codeVerifier: string } },
  signal: AbortSignal,
): Promise<string> {
  const { clientId, clientSecret, redirectUri } = options;
  const body = new URLSearchParams({
    ...{ grant_type: "authorization_code", code: login.code, redirect_uri: redirectUri },
    code_verifier: login.codeVerifier,
    ...(clientSecret === undefined ? { client_id: clientId } : {}),
  });
  // RFC 6749 section 2.3.1 wants both encoded as in a form.
  const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret ?? "")}`;
  const headers: Record<string, string> =
    clientSecret === undefined ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
  const answer = await fetchJson(endpoint, { method: "POST", body, headers }, signal);
  if (typeof answer.id_token !== "string") throw new Error("the provider gave no ID token");
  return answer.id_token;
}

/** A JSON object of at most 64 KiB within 5 seconds, from no other place than asked for. */
async function fetchJson(url: string, init: RequestInit, signal: AbortSignal): Promise<Json> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const response = await fetch(url, { ...init, redirect: "error", signal: until });
  // What a provider says of an error may repeat what it was sent: the status is enough.
  if (!response.ok) throw new Error(`the provider answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxAnswerBytes) throw new Error(`the provider's answer has more than ${maxAnswerBytes} octets`);
    chunks.push(chunk);
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("the provider's answer is no object");
  return value as Json;
}
