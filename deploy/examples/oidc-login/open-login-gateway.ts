import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequestAuthenticator, type RequestAuthenticator } from "@signet/authorizer";
import { parseDocuments } from "@signet/documents";
import { type Auth, createGateway } from "@signet/gateway";
import { requestListener } from "@signet/gateway/node-http";
import { type Clock, type Logger, systemClock, type Task } from "@signet/runtime";
import { proxyTo } from "../gateway/proxy.ts";
import { listen, serve } from "../gateway/serve.ts";
import { withoutCookies } from "./cookies.ts";
import { createLoginFlow, type LoginFlow, sendText } from "./login-flow.ts";
import { discoverClient } from "./oidc-client.ts";

/** How the gateway is run. */
export type LoginGatewayOptions = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  /** Where browsers find this gateway: its scheme says whether cookies are `Secure`. */
  readonly publicUrl: URL;
  readonly listen: string;
  readonly upstream: URL;
  /** Age at which the provider's keys are fetched again; default 10 minutes. */
  readonly refreshMs?: number;
};

const limits = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 };

/** Asks the provider who it is, listens, and returns what keeps both going. Rejects when the provider cannot be relied on. */
export async function openLoginGateway(
  options: LoginGatewayOptions,
  { logger, clock = systemClock }: { readonly logger: Logger; readonly clock?: Clock },
): Promise<{ readonly url: string; readonly tasks: readonly Task[] }> {
  const { issuer, clientId, clientSecret, publicUrl, refreshMs } = options;
  const redirectUri = new URL("/callback", publicUrl).href;
  const postLogoutRedirectUri = new URL("/", publicUrl).href;
  const registered = { issuer, clientId, clientSecret, redirectUri, postLogoutRedirectUri };
  const client = await discoverClient(registered, AbortSignal.timeout(10_000));
  const documents = parseDocuments(ruleFor({ issuer, clientId, jwksUri: client.jwksUri }), { file: "oidc-login" });
  const authenticator = createRequestAuthenticator(documents, refreshMs === undefined ? {} : { refreshMs }, {
    clock,
    random: Math.random,
  });
  const flow = createLoginFlow({
    ...{ issuer, clientId, publicUrl, client, clock, logger },
    verify: verifierOf(authenticator),
  });
  const server = createServer(limits, guard({ flow, authenticator, upstream: options.upstream, logger }));
  const url = await listen(server, options.listen);
  return { url, tasks: [authenticator.task, serve(server)] };
}

/** What tokens count, and what the upstream is told of them. */
function ruleFor({
  issuer,
  clientId,
  jwksUri,
}: {
  readonly issuer: string;
  readonly clientId: string;
  readonly jwksUri: string;
}): string {
  const outputClaimToHeaders = [
    { header: "x-user", claim: "sub" },
    { header: "x-email", claim: "email" },
  ];
  const rule = { issuer, audiences: [clientId], jwksUri, outputClaimToHeaders };
  const metadata = { name: "people", namespace: "shop" };
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata,
    spec: { jwtRules: [rule] },
  });
}

type Verify = Parameters<typeof createLoginFlow>[0]["verify"];

function verifierOf(authenticator: RequestAuthenticator): Verify {
  return async (idToken, signal) => {
    const headers = [["authorization", `Bearer ${idToken}`]] as const;
    const asked = { method: "GET", scheme: "https", host: "", path: "/", headers };
    const result = await authenticator.authenticate(asked, signal);
    return result.kind === "authenticated" ? result : undefined;
  };
}

type Guarded = {
  readonly flow: LoginFlow;
  readonly authenticator: RequestAuthenticator;
  readonly upstream: URL;
  readonly logger: Logger;
};

/** Logins first; then, with a session, its token in the place of whatever the client has sent. */
function guard({
  flow,
  authenticator,
  upstream,
  logger,
}: Guarded): (request: IncomingMessage, response: ServerResponse) => void {
  const gateway = createGateway({
    authenticator,
    events: { failed: ({ what, error }) => logger.error("gateway failed", { what, error }) },
  });
  const verify = verifierOf(authenticator);
  const passOn = requestListener(gateway, peopleOnly(proxyTo(upstream)));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? "", "http://gateway");
    if (url === null) return sendText(response, 400, "bad request");
    if (await flow.answer(request, response, url)) return;
    const session = flow.sessionOf(request);
    if (session !== undefined) {
      if (!isSafe(request) && !flow.isOurs(request)) return sendText(response, 403, "not asked for by a page of ours");
      const isGood = (await verify(session.idToken, AbortSignal.timeout(10_000))) !== undefined;
      // Its key has been withdrawn: the person logs in again.
      if (!isGood) flow.end(request);
      setHeader(request, "authorization", isGood ? `Bearer ${session.idToken}` : undefined);
    }
    const { cookie } = request.headers;
    if (cookie !== undefined) setHeader(request, "cookie", withoutCookies(cookie, flow.cookieNames));
    passOn(request, response);
  }

  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      logger.error("request failed", { error });
      if (response.headersSent) response.destroy();
      else sendText(response, 503, "authentication is unavailable");
    });
  };
}

function isSafe({ method = "" }: IncomingMessage): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(method);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Sends people who are nobody yet to the login, and tells programs that they are. */
function peopleOnly(
  handler: Handler,
): (request: IncomingMessage, response: ServerResponse, auth: Auth) => Promise<void> {
  return async (request, response, auth) => {
    if (auth.kind === "authenticated") return await handler(request, response);
    const isPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
    if (!isPage) return sendText(response, 401, "log in first");
    const location = `/login?return_to=${encodeURIComponent(request.url ?? "/")}`;
    response.writeHead(303, { location, "cache-control": "no-store" }).end();
  };
}

/** Replaces a header in all that Node has of it, or takes it away. */
function setHeader(request: IncomingMessage, name: string, value: string | undefined): void {
  const { headers, headersDistinct, rawHeaders } = request;
  const kept = rawHeaders.flatMap((text, at) => {
    if (at % 2 === 1 || text.toLowerCase() === name) return [];
    return [text, rawHeaders[at + 1] ?? ""];
  });
  rawHeaders.splice(0, rawHeaders.length, ...kept, ...(value === undefined ? [] : [name, value]));
  delete headers[name];
  delete headersDistinct[name];
  if (value === undefined) return;
  headers[name] = value;
  headersDistinct[name] = [value];
}
