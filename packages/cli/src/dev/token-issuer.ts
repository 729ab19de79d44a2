import { publicJwk } from "@signet/jwt";
import {
  acquireFileLock,
  type Clock,
  ensurePrivateDirectory,
  type FileLock,
  formatHostPort,
  type HostPort,
  type HttpAnswer,
  type HttpServer,
  type Logger,
  serveHttp,
  sleepUntil,
  type Task,
} from "@signet/runtime";
import {
  readIssuerKeys,
  readIssuerUrl,
  tokenIssuerFiles,
  writeIssuerKeys,
  writeIssuerUrl,
} from "./token-issuer-files.ts";
import {
  createKeys,
  defaultRotationMs,
  type GenerateKey,
  generateRsaKey,
  type IssuerKeys,
  nextKeyDueAt,
  rotateKeys,
} from "./token-issuer-keys.ts";
import { signServiceAccountToken, type TokenRequest } from "./token-issuer-token.ts";

/** An OIDC issuer of service account tokens that stands in for Kubernetes on a laptop. */
export interface TokenIssuer {
  /** What its tokens say in `iss`, where discovery is found: `http://127.0.0.1:15080`. */
  readonly issuer: string;
  readonly address: HostPort;
  /** Rotates the keys. Run it for as long as the issuer serves. */
  readonly task: Task;
  /** A token of this issuer; throws TokenIssuerError `token-request-invalid`. */
  issueToken(request: TokenRequest): string;
  /** Stops serving and lets another process have the state. */
  close(): Promise<void>;
}

const retryMs = 60_000;

/**
 * Starts the issuer: its keys from `<stateDirectory>/issuer/keys.json`, made on first use, and discovery and JWKS over
 * HTTP on loopback.
 *
 * Writes its URL to `<stateDirectory>/issuer.json` for `signet token`. Tokens outlive a restart as long as the port is
 * the same; port 0 picks a new one every time, and with it a new issuer, whose verifiers refuse the tokens of the old.
 * @throws RuntimeError `locked` when another process has the state, `listen-failed`; TokenIssuerError `state-damaged`
 */
export async function startTokenIssuer(
  options: {
    readonly stateDirectory: string;
    /** A loopback address; 127.0.0.1 unless said otherwise. */
    readonly host?: string;
    readonly port: number;
    /** How long a key signs, in milliseconds; 24 hours unless said otherwise. */
    readonly rotationMs?: number;
  },
  dependencies: { readonly clock: Clock; readonly logger: Logger; readonly generateKey?: GenerateKey },
): Promise<TokenIssuer> {
  const { stateDirectory, host = "127.0.0.1", port, rotationMs = defaultRotationMs } = options;
  const { clock, logger, generateKey = generateRsaKey } = dependencies;
  const files = tokenIssuerFiles(stateDirectory);
  await ensurePrivateDirectory(files.directory);
  const lock = await acquireFileLock(files.lock);
  try {
    const keys = await KeyRing.open({ stateDirectory, rotationMs, clock, logger, generateKey });
    const { server, issuer } = await serveKeys(keys, { host, port }, logger);
    await writeIssuerUrl(stateDirectory, issuer).catch((error: unknown) => closeAndThrow(server, error));
    return {
      issuer,
      address: server.address,
      task: { name: "token issuer keys", run: (signal) => keys.keepFresh(signal) },
      issueToken: (request) => signServiceAccountToken({ issuer, keys: keys.current() }, request, clock.now()),
      close: () => closeAll(server, lock),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Returns what signs tokens of the issuer in `stateDirectory` without talking to it, or undefined when there is none.
 * @throws TokenIssuerError `state-damaged`; RuntimeError `file-unreadable`, `file-too-large`
 */
export async function loadTokenSigner(
  stateDirectory: string,
  clock: Clock,
): Promise<Pick<TokenIssuer, "issuer" | "issueToken"> | undefined> {
  const issuer = await readIssuerUrl(stateDirectory);
  const keys = await readIssuerKeys(stateDirectory);
  if (issuer === undefined || keys === undefined) return undefined;
  return { issuer, issueToken: (request) => signServiceAccountToken({ issuer, keys }, request, clock.now()) };
}

async function closeAndThrow(server: HttpServer, error: unknown): Promise<never> {
  await server.close();
  throw error;
}

async function closeAll(server: HttpServer, lock: FileLock): Promise<void> {
  await server.close();
  await lock.release();
}

async function serveKeys(
  keys: KeyRing,
  where: HostPort,
  logger: Logger,
): Promise<{ readonly server: HttpServer; readonly issuer: string }> {
  // Known only once the port is.
  let issuer = "";
  const routes = {
    "/.well-known/openid-configuration": async () => json(discoveryDocument(issuer)),
    "/openid/v1/jwks": async () =>
      json({ keys: keys.current().map((key) => publicJwk(key.privateKey, key.kid, "RS256")) }),
  };
  const server = await serveHttp({ ...where, routes, logger });
  issuer = `http://${formatHostPort(server.address)}`;
  return { server, issuer };
}

/** What the API server of Kubernetes answers (OpenID Connect Discovery section 3). */
function discoveryDocument(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
  };
}

function json(body: object): HttpAnswer {
  return { status: 200, body: JSON.stringify(body), contentType: "application/json" };
}

type KeyRingOptions = {
  readonly stateDirectory: string;
  readonly rotationMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly generateKey: GenerateKey;
};

/** The keys in use, always the same as in the file. */
class KeyRing {
  readonly #options: KeyRingOptions;
  #keys: IssuerKeys;

  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const { stateDirectory, clock, generateKey } = options;
    const found = await readIssuerKeys(stateDirectory);
    const keys = found ?? (await createKeys(clock.now(), generateKey));
    if (found === undefined) await writeIssuerKeys(stateDirectory, keys);
    const ring = new KeyRing(options, keys);
    await ring.#rotate();
    return ring;
  }

  private constructor(options: KeyRingOptions, keys: IssuerKeys) {
    this.#options = options;
    this.#keys = keys;
  }

  current(): IssuerKeys {
    return this.#keys;
  }

  async keepFresh(signal: AbortSignal): Promise<void> {
    const { clock, logger, rotationMs } = this.#options;
    let retryAt: Date | undefined;
    while (!signal.aborted) {
      await sleepUntil(clock, retryAt ?? nextKeyDueAt(this.#keys, rotationMs), {}, signal);
      try {
        await this.#rotate();
        retryAt = undefined;
      } catch (error) {
        // The keys there are go on signing.
        logger.error("token issuer keys not rotated", { error });
        retryAt = new Date(clock.now().getTime() + retryMs);
      }
    }
  }

  /** Others see a new key only once it is on disk: what it signs must outlive this process. */
  async #rotate(): Promise<void> {
    const { clock, logger, stateDirectory } = this.#options;
    const keys = await rotateKeys(this.#keys, clock.now(), this.#options);
    if (keys === this.#keys) return;
    await writeIssuerKeys(stateDirectory, keys);
    this.#keys = keys;
    logger.info("token issuer keys rotated", { keys: keys.length });
  }
}
