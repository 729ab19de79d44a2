import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { errorCode, errorMessage } from "@signet/runtime";
import { VaultError } from "./errors.ts";

/** One HTTP request, whole. */
export type TransportRequest = {
  readonly method: string;
  /** Absolute; https, or http to a loopback address. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** One HTTP answer, whole. */
export type TransportResponse = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** PEM texts; without `ca` the authorities that come with Node. */
export type TlsMaterial = { readonly ca?: string; readonly certificate?: string; readonly key?: string };

/** Makes HTTP requests to one server over connections that it keeps. */
export interface VaultTransport {
  /**
   * Rejects with `signal.reason` when aborted. When that is a deadline that passed on a connection which was kept, no other
   * one that is idle is used again.
   * @throws VaultError `unreachable`, `tls-failed`, `redirect-refused`, `response-too-large`
   */
  send(request: TransportRequest, signal: AbortSignal): Promise<TransportResponse>;
  /** From now on new connections use this; what is under way goes on. */
  useTls(tls: TlsMaterial): void;
  /** Ends the connections that are kept; what is under way goes on. */
  close(): void;
}

/** What a transport allows itself. */
export type TransportLimits = {
  readonly maxSockets: number;
  /** Largest answer, in bytes of its body. */
  readonly maxResponseBytes: number;
};

/** Longer than a quiet minute of the canary, shorter than Vault's own five. */
const idleMs = 120_000;

/**
 * Returns a transport over node:https whose verification of the server no environment variable can switch off.
 *
 * A redirect is followed once, with the method and body as they are, if it is a 307 or 308 to the same path on an https
 * server that verifies by the same authorities: that is how a standby node names the active one.
 */
export function createVaultTransport(tls: TlsMaterial, limits: TransportLimits): VaultTransport {
  let agents = createAgents(tls, limits);

  async function send(request: TransportRequest, signal: AbortSignal): Promise<TransportResponse> {
    const response = await exchange(request, signal);
    if (response.status !== 307 && response.status !== 308) return response;
    const url = redirectTarget(request.url, response.headers.location);
    const redirected = await exchange({ ...request, url }, signal);
    if (redirected.status === 307 || redirected.status === 308) throw refusedRedirect("a second redirect");
    return redirected;
  }

  async function exchange(request: TransportRequest, signal: AbortSignal): Promise<TransportResponse> {
    const first = await attempt(request, { agent: agents.kept, limits }, signal);
    if (first.kind === "response") return first.response;
    // The server closed a kept connection while we were taking it; it has not seen the request.
    if (first.staleConnection) {
      const second = await attempt(request, { agent: agents.single, limits }, signal);
      if (second.kind === "response") return second.response;
      throw second.error;
    }
    throw first.error;
  }

  return {
    send,
    useTls(next) {
      agents.kept.destroyIdle();
      agents = createAgents(next, limits);
    },
    close: () => agents.kept.destroyIdle(),
  };
}

type Agents = { readonly kept: AgentPair; readonly single: AgentPair };
type AgentPair = { readonly https: HttpsAgent; readonly http: HttpAgent; destroyIdle(): void };

function createAgents(tls: TlsMaterial, { maxSockets }: TransportLimits): Agents {
  const secure = {
    // Said outright, since what is left out can be set by NODE_TLS_REJECT_UNAUTHORIZED and by --tls-min-v1.0.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  } as const;
  const keep = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, timeout: idleMs } as const;
  return { kept: agentPair(secure, keep), single: agentPair(secure, { keepAlive: false }) };
}

function agentPair(
  secure: ConstructorParameters<typeof HttpsAgent>[0],
  keep: ConstructorParameters<typeof HttpAgent>[0],
): AgentPair {
  const https = new HttpsAgent({ ...keep, ...secure });
  const http = new HttpAgent(keep);
  return {
    https,
    http,
    destroyIdle() {
      // What is in use stays until its answer is there, and is idle for a while then, used by nobody.
      for (const { freeSockets } of [https, http]) {
        for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      }
    },
  };
}

type Attempt =
  | { readonly kind: "response"; readonly response: TransportResponse }
  | { readonly kind: "failed"; readonly error: VaultError; readonly staleConnection: boolean };

function attempt(
  { method, url, headers, body }: TransportRequest,
  { agent, limits }: { readonly agent: AgentPair; readonly limits: TransportLimits },
  signal: AbortSignal,
): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const target = new URL(url);
    const options = { method, headers };
    const request =
      target.protocol === "https:"
        ? httpsRequest(target, { ...options, agent: agent.https })
        : httpRequest(target, { ...options, agent: agent.http });
    let answered = false;
    const abort = (): void => {
      settle(() => reject(signal.reason));
      request.destroy();
      // One kept connection without a word: the idle ones lead the same way, and each would cost another deadline.
      if (request.reusedSocket && errorCode(signal.reason) === "deadline-exceeded") agent.destroyIdle();
    };
    const settle = (end: () => void): void => {
      signal.removeEventListener("abort", abort);
      end();
    };
    const fail = (error: unknown): void => {
      const failure = error instanceof VaultError ? error : connectionError(error);
      const closed = ["ECONNRESET", "EPIPE"].includes(errorCode(error) ?? "");
      const staleConnection = closed && !answered && request.reusedSocket;
      settle(() => resolve({ kind: "failed", error: failure, staleConnection }));
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("error", fail);
    request.on("response", (message) => {
      answered = true;
      readBody(message, limits.maxResponseBytes).then((text) => {
        const response = { status: message.statusCode ?? 0, headers: message.headers, body: text };
        settle(() => resolve({ kind: "response", response }));
      }, fail);
    });
    request.end(body);
  });
}

async function readBody(message: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Destroys the message when it is left early; throws when the connection ends before the body does.
  for await (const chunk of message) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > maxBytes) throw new VaultError("response-too-large", `answer of Vault exceeds ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length).toString("utf8");
}

/** Codes of OpenSSL and Node that speak of certificates and handshakes, not of connections. */
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|INVALID_)|^EPROTO$/;

function connectionError(error: unknown): VaultError {
  const code = errorCode(error) ?? "";
  if (tlsCodes.test(code)) return new VaultError("tls-failed", `TLS with Vault failed: ${code}`, { cause: error });
  return new VaultError("unreachable", `Vault cannot be reached: ${code || errorMessage(error)}`, { cause: error });
}

function redirectTarget(from: string, location: string | undefined): string {
  if (location === undefined || !URL.canParse(location, from)) throw refusedRedirect("a redirect to nowhere");
  const [source, target] = [new URL(from), new URL(location, from)];
  if (target.protocol !== "https:") throw refusedRedirect("a redirect away from https");
  if (target.username !== "" || target.password !== "") throw refusedRedirect("a redirect with credentials");
  if (target.pathname !== source.pathname || target.search !== source.search) {
    throw refusedRedirect("a redirect to another path");
  }
  return target.href;
}

function refusedRedirect(what: string): VaultError {
  return new VaultError("redirect-refused", `Vault answered with ${what}, which is not followed`);
}
