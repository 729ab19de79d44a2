import { createJwksSource, createJwtVerifier, type HttpGet, type JwksEvents, type JwtVerifier } from "@signet/jwt";
import type { KubernetesApi } from "@signet/kubernetes";
import { type Clock, createBackoff, errorMessage, type Random, sleepUntil, type Task } from "@signet/runtime";
import { rejectionReasons } from "../authenticators/token-rejection.ts";
import { readKubernetesClaims } from "./kubernetes-claims.ts";
import { type TokenChecker, type TokenVerdict, tokenDefect } from "./token-checker.ts";

/** What a local verifier needs. */
export type LocalTokenVerifierDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: JwksEvents;
};

type ServerApi = Pick<KubernetesApi, "server" | "getJson">;

/** The API server's own issuer is asked for again this often; it changes only when the API server is started anew. */
const rediscoverMs = 10 * 60_000;
const retry = { initialMs: 1_000, maxMs: 10_000, minMs: 500 };

/**
 * Says whose a token is by the API server's own keys, without asking it about each token: issuer and keys are read from
 * it (OIDC discovery and JWKS) and kept; a token needs one of `audiences`, `exp`, and the claims that bind it.
 *
 * What it cannot see: that the pod, the service account or the Secret that the token is bound to has been deleted, and
 * other issuers that the API server accepts beside the one it signs with. A token therefore counts until its `exp`.
 */
export function createLocalTokenVerifier(
  options: { readonly api: ServerApi; readonly audiences: readonly string[] },
  dependencies: LocalTokenVerifierDependencies,
): TokenChecker & { readonly task: Task } {
  const { api } = options;
  const { clock, random, events } = dependencies;
  let current: TrustedServer | undefined;
  let lastFailure = "not asked for yet";

  async function discover(signal: AbortSignal): Promise<void> {
    const issuer = await readIssuer(api, signal);
    if (issuer === current?.issuer) return;
    current?.stop();
    current = trustServer({ ...options, issuer }, dependencies, signal);
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(retry, random);
    while (!signal.aborted) {
      let waitMs = rediscoverMs;
      try {
        await discover(signal);
        backoff.reset();
      } catch (error) {
        signal.throwIfAborted();
        lastFailure = errorMessage(error);
        waitMs = backoff.nextMs();
        if (current === undefined) events.fetchFailed({ issuer: api.server, error });
      }
      await sleepUntil(clock, new Date(clock.now().getTime() + waitMs), {}, signal);
    }
  }

  return {
    async check(token, _peerAddress, signal): Promise<TokenVerdict> {
      signal.throwIfAborted();
      const defect = tokenDefect(token);
      if (defect !== undefined) return defect;
      if (current === undefined) {
        const cause = `issuer of ${api.server} is not known: ${lastFailure}`;
        return { kind: "unavailable", reason: "keys-unavailable", cause };
      }
      return await verify(current.verifier, { token, clock }, signal);
    },
    task: { name: `token keys of ${api.server}`, run: (signal) => run(signal).finally(() => current?.stop()) },
  };
}

type TrustedServer = { readonly issuer: string; readonly verifier: JwtVerifier; readonly stop: () => void };

function trustServer(
  { api, audiences, issuer }: { api: ServerApi; audiences: readonly string[]; issuer: string },
  { clock, random, events }: LocalTokenVerifierDependencies,
  signal: AbortSignal,
): TrustedServer {
  // The API server serves its keys itself, whatever location it tells others.
  const jwksUri = new URL("/openid/v1/jwks", api.server).href;
  const fetch: HttpGet = async ({ maxBytes }, within) => {
    const body = Buffer.from(JSON.stringify(await api.getJson("/openid/v1/jwks", within)));
    if (body.length > maxBytes) throw new Error(`keys of ${body.length} bytes exceed ${maxBytes}`);
    return { status: 200, body };
  };
  const keys = createJwksSource({ issuer, jwksUri, allowHttp: true }, { clock, random, events, fetch });
  const verifier = createJwtVerifier({ issuers: [{ issuer, audiences, keys }], clockSkewSeconds: 60 }, clock);
  const stop = new AbortController();
  // Its task ends with its signal, and never fails of itself.
  keys.task.run(AbortSignal.any([signal, stop.signal])).catch(() => {});
  return { issuer, verifier, stop: () => stop.abort() };
}

async function readIssuer(api: ServerApi, signal: AbortSignal): Promise<string> {
  const document = await api.getJson("/.well-known/openid-configuration", signal);
  const issuer = typeof document === "object" && document !== null && "issuer" in document ? document.issuer : "";
  if (typeof issuer !== "string" || issuer === "")
    throw new Error("discovery document of the API server has no issuer");
  return issuer;
}

async function verify(
  verifier: JwtVerifier,
  { token, clock }: { readonly token: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<TokenVerdict> {
  const result = await verifier.verify(token, signal);
  if (result.kind === "unavailable") return { kind: "unavailable", reason: result.code, cause: result.detail };
  if (result.kind === "rejected") {
    return { kind: "rejected", reason: rejectionReasons[result.code], cause: result.detail };
  }
  const { exp } = result.claims;
  // The API server gives an expired token no leeway either.
  if (typeof exp !== "number" || exp * 1000 <= clock.now().getTime()) {
    return { kind: "rejected", reason: "token-expired", cause: "token expired within the allowed clock skew" };
  }
  const holder = readKubernetesClaims(result.claims);
  return typeof holder === "string"
    ? { kind: "rejected", reason: "pod-claims-missing", cause: holder }
    : { kind: "known", holder };
}
