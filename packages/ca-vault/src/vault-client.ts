import { type Clock, RuntimeError, withDeadline } from "@signet/runtime";
import { VaultError } from "./errors.ts";
import { type AnsweredWith, refusalOf } from "./refusal.ts";
import type { VaultTransport } from "./vault-transport.ts";

/** One call of Vault's API; `path` begins with the mount, without a slash. */
export type VaultRequest = {
  readonly kind: "read" | "list" | "write";
  readonly path: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Left out by a login, which has none yet. */
  readonly token?: string;
  /** What the call is for, in metrics: one of a fixed set. */
  readonly operation: VaultOperation;
};

/** What a call is for. */
export type VaultOperation = "sign" | "login" | "renew" | "lookup" | "issuers" | "role";

/** Called once for each call that went out, with its outcome: "ok", "aborted" or a VaultErrorCode. */
export type CallObserver = (call: {
  readonly operation: VaultOperation;
  readonly outcome: string;
  readonly durationMs: number;
}) => void;

/** Vault's API as this package uses it. */
export interface VaultClient {
  /**
   * Returns the body of the answer, which is undefined for one without. Rejects with `signal.reason` when aborted.
   * @throws VaultError
   */
  call(request: VaultRequest, signal: AbortSignal): Promise<unknown>;
}

/** Where Vault is. */
export type VaultClientOptions = {
  /** Such as "https://vault.example:8200". */
  readonly address: string;
  readonly namespace?: string;
  /** For each call, in milliseconds. */
  readonly timeoutMs: number;
};

/** What node-vault hands to its transport; `exchange` is ours, passed through. */
type NodeVaultRequest = {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly exchange: Exchange;
};

/** What belongs to one call: how it ends early, and what came back of which node-vault says nothing. */
type Exchange = { readonly signal: AbortSignal; answered?: AnsweredWith };

/**
 * Returns a client over node-vault, of which only the paths, verbs and headers of the API are used.
 *
 * Its own transport would follow the environment (VAULT_SKIP_VERIFY, proxies) and has neither a deadline nor a cap, its
 * debug output would show tokens, and its renewal knows no fresh login; so all of that is ours.
 */
export async function createVaultClient(
  options: VaultClientOptions,
  dependencies: { readonly transport: VaultTransport; readonly clock: Clock; readonly observe: CallObserver },
): Promise<VaultClient> {
  const { transport, clock, observe } = dependencies;
  const nodeVault = await openNodeVault(options, transport);

  async function attempt(request: VaultRequest, signal: AbortSignal): Promise<unknown> {
    const exchange: Exchange = { signal };
    // node-vault writes into the headers it is given.
    const headers = {
      "X-Vault-Request": "true",
      ...(request.token === undefined ? {} : { "X-Vault-Token": request.token }),
    };
    try {
      switch (request.kind) {
        case "read":
          return await nodeVault.read(request.path, { headers, exchange });
        case "list":
          return await nodeVault.list(request.path, { headers, exchange });
        case "write":
          return await nodeVault.write(request.path, request.data ?? {}, { headers, exchange });
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof VaultError) throw error;
      if (exchange.answered !== undefined) throw refusalOf(exchange.answered);
      throw new VaultError("response-malformed", "answer of Vault cannot be read", { cause: error });
    }
  }

  async function call(request: VaultRequest, signal: AbortSignal): Promise<unknown> {
    const startedAt = clock.now().getTime();
    const finish = (outcome: string): void =>
      observe({ operation: request.operation, outcome, durationMs: clock.now().getTime() - startedAt });
    const deadline = { clock, ms: options.timeoutMs, what: `${request.operation} by Vault` };
    try {
      const answer = await withDeadline(deadline, (working) => attempt(request, working), signal);
      finish("ok");
      return answer;
    } catch (error) {
      const failure = asVaultError(signal.aborted ? signal.reason : error);
      finish(signal.aborted && failure.code !== "deadline-exceeded" ? "aborted" : failure.code);
      signal.throwIfAborted();
      throw failure;
    }
  }

  return { call };
}

async function openNodeVault(
  options: VaultClientOptions,
  transport: VaultTransport,
): Promise<ReturnType<typeof import("node-vault")>> {
  // With all that it brings it takes longer to load than the rest of a CA server, most of which have no Vault.
  const { default: createNodeVault } = await import("node-vault");
  const send = async ({ method, uri, headers = {}, json, exchange }: NodeVaultRequest): Promise<unknown> => {
    const body = json === undefined ? undefined : JSON.stringify(json);
    const type =
      body === undefined
        ? {}
        : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(body)) };
    const request = { method, url: uri, headers: { Accept: "application/json", ...headers, ...type } };
    const response = await transport.send(body === undefined ? request : { ...request, body }, exchange.signal);
    const answered = {
      status: response.status,
      headers: response.headers,
      body: parseBody(response.body, response.status),
    };
    exchange.answered = answered;
    // By the path it knows answers about health, and would let those pass whatever their status.
    return { statusCode: answered.status, body: answered.body, request: { path: "" } };
  };
  const client = createNodeVault({
    "request-promise": { defaults: () => send },
    debug: () => undefined,
    endpoint: options.address,
    // A verb that every proxy on the way knows.
    noCustomHTTPVerbs: true,
  });
  // Where the options are empty it takes VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX instead.
  return Object.assign(client, { token: "", namespace: options.namespace ?? "", pathPrefix: "" });
}

function parseBody(text: string, status: number): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // A proxy's page with a status that says enough.
    if (status >= 400) return undefined;
    // The cause quotes the text, which may hold a token.
    throw new VaultError(
      "response-malformed",
      `answer of Vault is not JSON (${cause instanceof Error ? cause.name : "unreadable"})`,
    );
  }
}

function asVaultError(error: unknown): VaultError {
  if (error instanceof VaultError) return error;
  if (error instanceof RuntimeError && error.code === "deadline-exceeded") {
    return new VaultError("deadline-exceeded", error.message);
  }
  return new VaultError("response-malformed", "call of Vault failed", { cause: error });
}
