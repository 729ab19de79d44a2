import type { ServerResponse } from "node:http";
import { type Clock, systemClock } from "@signet/runtime";
import {
  errors,
  type FakeAnswer,
  type FakeRequest,
  noContent,
  permissionDenied,
  secondsOf,
  textOf,
} from "./fake-answer.ts";
import { createFakeAuth } from "./fake-auth.ts";
import { createFakePki, type FakePki } from "./fake-pki.ts";
import { openServer, portOf, readRequest } from "./fake-server.ts";
import type { VaultUnderTest } from "./vault-under-test.ts";

/** What can go wrong with one request. */
export type FakeVaultFault =
  /** Another answer, without looking at the request. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly errors?: readonly string[];
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The right answer, changed. */
  | { readonly kind: "alter"; readonly change: (body: unknown) => unknown }
  /** Any text in the place of an answer. */
  | { readonly kind: "text"; readonly status: number; readonly text: string }
  /** The answer comes once `until` has resolved; never, if it does not. */
  | { readonly kind: "late"; readonly until: Promise<void> }
  /** The connection ends before an answer, or in the middle of one. */
  | { readonly kind: "reset" | "truncate" };

/** A request that the fake has seen. */
export type SeenRequest = Pick<FakeRequest, "method" | "path" | "headers" | "body" | "list">;

/** A Vault in memory, behind real TLS, whose moods a test sets. */
export interface FakeVault extends VaultUnderTest {
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** All requests so far, in order. */
  readonly seen: readonly SeenRequest[];
  /** From now on asked about every request; undefined lets it pass. */
  setFault(fault: ((request: SeenRequest) => FakeVaultFault | undefined) | undefined): void;
  /** The Kubernetes login accepts this service account token. */
  trustJwt(jwt: string): void;
  /** Ends every connection that is idle or in use. */
  dropConnections(): void;
  close(): Promise<void>;
}

type Quota = { readonly rate: number; readonly path: string; readonly interval: number; used: number; since: number };

/**
 * Starts a Vault in memory on a loopback port, unsealed, with a root token and nothing mounted.
 *
 * README.md beside this file says what it knows of Vault's API.
 * @example
 * ```ts
 * import { startFakeVault } from "@signet/ca-vault/testing";
 * const vault = await startFakeVault();
 * await vault.seal();
 * await vault.close();
 * ```
 */
export async function startFakeVault(options: { readonly clock?: Clock } = {}): Promise<FakeVault> {
  const clock = options.clock ?? systemClock;
  const rootToken = "hvs.fake-root-token";
  const auth = createFakeAuth(rootToken, clock);
  const mounts = new Map<string, FakePki>();
  const quotas = new Map<string, Quota>();
  const seen: SeenRequest[] = [];
  let quotaHeaders = false;
  let sealed = false;
  let faultOf: ((request: SeenRequest) => FakeVaultFault | undefined) | undefined;

  function answer(request: FakeRequest): FakeAnswer {
    if (sealed) return errors(503, "Vault is sealed");
    const over = overQuota(request.path);
    if (over !== undefined) return over;
    const capability = request.list
      ? "list"
      : request.method === "GET"
        ? "read"
        : request.method === "POST"
          ? "update"
          : "delete";
    if (!auth.isLogin(request.path) && !auth.permits(request, capability)) return permissionDenied;
    return auth.answer(request) ?? systemAnswer(request) ?? pkiAnswer(request);
  }

  function overQuota(path: string): FakeAnswer | undefined {
    const now = clock.now().getTime();
    for (const quota of quotas.values()) {
      if (!path.startsWith(quota.path)) continue;
      if (now - quota.since >= quota.interval * 1000) Object.assign(quota, { used: 0, since: now });
      quota.used += 1;
      if (quota.used <= quota.rate) continue;
      const left = Math.max(Math.ceil((quota.since + quota.interval * 1000 - now) / 1000), 1);
      const refused = errors(429, `request path "${path}": rate limit quota exceeded`);
      return quotaHeaders ? { ...refused, headers: { "Retry-After": String(left) } } : refused;
    }
    return undefined;
  }

  function systemAnswer({ method, path, body }: FakeRequest): FakeAnswer | undefined {
    if (path.startsWith("sys/mounts/")) {
      const mount = path.slice("sys/mounts/".length);
      if (method === "DELETE") mounts.delete(mount);
      else mounts.set(mount, createFakePki(clock));
      return noContent;
    }
    if (path === "sys/quotas/config") {
      quotaHeaders = body.enable_rate_limit_response_headers === true;
      return noContent;
    }
    if (!path.startsWith("sys/quotas/rate-limit/")) return undefined;
    const quota = {
      rate: Number(body.rate),
      path: textOf(body, "path"),
      interval: secondsOf(body, "interval") || 1,
    };
    if (method === "DELETE") quotas.delete(path);
    else quotas.set(path, { ...quota, used: 0, since: clock.now().getTime() });
    return noContent;
  }

  function pkiAnswer(request: FakeRequest): FakeAnswer {
    for (const [mount, pki] of mounts) {
      if (request.path.startsWith(`${mount}/`)) return pki.answer(request.path.slice(mount.length + 1), request);
    }
    return errors(404, `no handler for route "${request.path}". route entry not found.`);
  }

  const { server, caPem } = await openServer((message, response) => {
    readRequest(message).then(
      (request) => {
        seen.push(request);
        respond(response, { fault: faultOf?.(request), answer: () => answer(request) });
      },
      () => message.destroy(),
    );
  });

  return {
    address: `https://127.0.0.1:${portOf(server)}`,
    ...{ caPem, rootToken, seen },
    async seal() {
      sealed = true;
    },
    async unseal() {
      sealed = false;
    },
    setFault(fault) {
      faultOf = fault;
    },
    trustJwt: auth.trustJwt,
    dropConnections: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function respond(
  response: ServerResponse,
  { fault, answer }: { readonly fault: FakeVaultFault | undefined; readonly answer: () => FakeAnswer },
): void {
  switch (fault?.kind) {
    case "answer":
      send(response, { ...errors(fault.status, ...(fault.errors ?? [])), headers: fault.headers ?? {} });
      break;
    case "alter": {
      const right = answer();
      send(response, { ...right, body: fault.change(right.body) });
      break;
    }
    case "text":
      response.writeHead(fault.status).end(fault.text);
      break;
    case "late":
      fault.until.then(
        () => send(response, answer()),
        () => response.destroy(),
      );
      break;
    case "reset":
      response.socket?.destroy();
      break;
    case "truncate":
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"data":', () => response.socket?.destroy());
      break;
    default:
      send(response, answer());
  }
}

function send(response: ServerResponse, { status, body, headers }: FakeAnswer): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
