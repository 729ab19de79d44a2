import { type Clock, createBackoff, errorMessage, type Random, sleepUntil, type Task } from "@signet/runtime";
import { type AddressRules, createAddressGuard } from "./address-guard.ts";
import { JwtError, quote } from "./errors.ts";
import { checkLocation, fetchJwks, type JwksLocation } from "./fetch-jwks.ts";
import { type HttpGet, httpGet } from "./http-get.ts";
import type { JwksSource, JwksStatus, KeyLookup } from "./issuer.ts";
import { type Jwks, keepKnownKeys } from "./jwks.ts";
import { createProxyOf, type ProxySettings } from "./proxy.ts";
import { selectKeys } from "./select-keys.ts";

/** Where an issuer's keys come from, and how fresh they are kept. All times in milliseconds. */
export type JwksSourceOptions = AddressRules & {
  /** Exactly as in `iss`; a URL unless `jwksUri` is given. */
  readonly issuer: string;
  /** Where the JWKS is; without it, `<issuer>/.well-known/openid-configuration` says. */
  readonly jwksUri?: string;
  /** Age at which the background task fetches again, less up to a fifth by chance; default 10 minutes, at most half of `maxAgeMs`. */
  readonly refreshMs?: number;
  /** Age up to which keys are used when they cannot be refreshed; default 24 hours. */
  readonly maxAgeMs?: number;
  /** Least time between two fetches that unknown key ids cause; default 30 seconds. One that failed is made again after 5. */
  readonly unknownKidIntervalMs?: number;
  /** Allows http to hosts other than this machine; default false. */
  readonly allowHttp?: boolean;
  /** PEM certificates to trust for this issuer instead of the system's. */
  readonly caPem?: string;
  /** A file of such certificates, read anew for every request; not together with `caPem`. */
  readonly caFile?: string;
  /**
   * A file with a bearer token, read anew for every request, for an issuer that shows its keys to known callers only, such as
   * an API server. It is sent to the origin of `jwksUri`, or of the issuer without one, and to no other that discovery may
   * lead to; over https, or http to this machine whatever `allowHttp` says.
   */
  readonly bearerTokenFile?: string;
  /** The proxy to go through; none unless given. The proxy resolves names, so only addresses in URLs are guarded then. */
  readonly proxy?: ProxySettings;
  /** How long one document may take, all redirects included; default 5 seconds, at most 60. */
  readonly timeoutMs?: number;
  /** Most redirects that are followed for one document, each checked as the first URL is; default 3, 0 for none. */
  readonly maxRedirects?: number;
};

/** What happens to an issuer's keys, for logs and metrics. */
export interface JwksEvents {
  fetched(event: { readonly issuer: string; readonly keyCount: number; readonly skipped: readonly string[] }): void;
  fetchFailed(event: { readonly issuer: string; readonly error: unknown }): void;
}

/** What a `JwksSource` needs; `fetch` is Node's own client unless given. */
export type JwksSourceDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly fetch?: HttpGet;
  readonly events?: JwksEvents;
};

const defaultRefreshMs = 10 * 60_000;
const defaultMaxAgeMs = 24 * 60 * 60_000;
const defaultUnknownKidIntervalMs = 30_000;
/** Least time between two fetches that tokens cause while there are no keys at all. */
const failureIntervalMs = 1_000;
/** The same after a failed one for an unknown key id, of which that has told nothing. */
const failedRefetchIntervalMs = 5_000;
const refreshBackoff = { initialMs: 2_000, maxMs: 60_000, minMs: 500 };

/**
 * Returns the keys of one issuer, fetched over HTTPS and kept fresh.
 *
 * Keys are fetched by `task` ahead of need, and by `find` when there are none or the `kid` is unknown, always one fetch
 * at a time. A fetch that fails in any way leaves the last good keys in place; after `maxAgeMs` without a good one they
 * are no longer used and every token is `unavailable`, never let through. https, or http to this machine; three redirects
 * and none from https to http; 5 s and 256 KiB per document; no link-local or metadata address, whatever name leads there.
 * @throws JwtError `url-refused`, `address-refused`, `address-range-invalid`, `proxy-invalid`, `issuer-invalid` for options that cannot work
 * @example
 * ```ts
 * import { createJwksSource } from "@signet/jwt";
 * import { systemClock } from "@signet/runtime";
 * const keys = createJwksSource(
 *   { issuer: "https://issuer.example" },
 *   { clock: systemClock, random: Math.random },
 * );
 * keys.status().keyCount; // 0: nothing is fetched before the task runs or a token comes
 * ```
 */
export function createJwksSource(options: JwksSourceOptions, dependencies: JwksSourceDependencies): JwksSource {
  if (options.issuer === "") throw new JwtError("issuer-invalid", "an issuer has no name");
  const location = locationOf(options);
  checkLocation(location);
  const maxAgeMs = options.maxAgeMs ?? defaultMaxAgeMs;
  const limits = {
    refreshMs: Math.min(options.refreshMs ?? defaultRefreshMs, maxAgeMs / 2),
    maxAgeMs,
    unknownKidIntervalMs: options.unknownKidIntervalMs ?? defaultUnknownKidIntervalMs,
  };
  return new RemoteJwks(location, limits, dependencies);
}

function locationOf(options: JwksSourceOptions): JwksLocation {
  const { issuer, jwksUri, caPem, caFile, bearerTokenFile, maxRedirects, timeoutMs, allowHttp = false } = options;
  return {
    issuer,
    allowHttp,
    guard: createAddressGuard(options),
    proxyOf: createProxyOf(options.proxy),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(caPem === undefined ? {} : { caPem }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(bearerTokenFile === undefined ? {} : { bearerTokenFile }),
    ...(maxRedirects === undefined ? {} : { maxRedirects }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

type Limits = { readonly refreshMs: number; readonly maxAgeMs: number; readonly unknownKidIntervalMs: number };

class RemoteJwks implements JwksSource {
  readonly issuer: string;
  readonly task: Task;
  readonly #location: JwksLocation;
  readonly #limits: Limits;
  readonly #dependencies: JwksSourceDependencies;
  #good: { readonly jwks: Jwks; readonly fetchedAt: Date } | undefined;
  #lastFailure: { readonly message: string; readonly atMs: number } | undefined;
  #unknownKidFetchAtMs: number | undefined;
  #flight: { readonly done: Promise<void>; readonly controller: AbortController } | undefined;

  constructor(location: JwksLocation, limits: Limits, dependencies: JwksSourceDependencies) {
    this.issuer = location.issuer;
    this.#location = location;
    this.#limits = limits;
    this.#dependencies = dependencies;
    this.task = { name: `jwks ${location.issuer}`, run: (signal) => this.#keepFresh(signal) };
  }

  async find(header: { readonly kid?: string; readonly alg: string }, signal: AbortSignal): Promise<KeyLookup> {
    signal.throwIfAborted();
    const lookup = this.#select(header);
    if (!mayChange(lookup) || !this.#mayFetch(lookup)) return this.#conclude(lookup);
    await untilAborted(this.#refresh(), signal);
    return this.#conclude(this.#select(header));
  }

  findNow(header: { readonly kid?: string; readonly alg: string }): KeyLookup | undefined {
    const lookup = this.#select(header);
    return mayChange(lookup) ? undefined : lookup;
  }

  status(): JwksStatus {
    const keyCount = this.#usable()?.keys.length ?? 0;
    const fetchedAt = this.#good?.fetchedAt;
    const lastError = this.#lastFailure?.message;
    const known = fetchedAt === undefined ? {} : { fetchedAt };
    return { keyCount, ...known, ...(lastError === undefined ? {} : { lastError }) };
  }

  #select(header: { readonly kid?: string; readonly alg: string }): KeyLookup {
    const jwks = this.#usable();
    if (jwks !== undefined) return selectKeys(jwks.keys, header);
    const why = this.#lastFailure?.message ?? "none has been fetched yet";
    return { kind: "unavailable", code: "keys-unavailable", detail: `no keys of issuer ${quote(this.issuer)}: ${why}` };
  }

  /** An unknown key id is final only when the keys it is missing from are the issuer's latest. */
  #conclude(lookup: KeyLookup): KeyLookup {
    if (lookup.kind !== "rejected" || !mayChange(lookup) || this.#lastFailure === undefined) return lookup;
    const detail = `${lookup.detail}, and they cannot be refreshed: ${this.#lastFailure.message}`;
    return { kind: "unavailable", code: "keys-unavailable", detail };
  }

  /** Whether a token may cause a fetch now, or join one: without keys once a second, for an unknown key id by its own cap. */
  #mayFetch(lookup: KeyLookup): boolean {
    if (this.#flight !== undefined) return true;
    return lookup.kind === "unavailable" ? this.#mayFetchAfterFailure() : this.#takeUnknownKidFetch();
  }

  /** The last good keys while they are young enough. */
  #usable(): Jwks | undefined {
    if (this.#good === undefined) return undefined;
    return this.#nowMs() - this.#good.fetchedAt.getTime() <= this.#limits.maxAgeMs ? this.#good.jwks : undefined;
  }

  #mayFetchAfterFailure(): boolean {
    return this.#lastFailure === undefined || this.#hasPassed(failureIntervalMs, this.#lastFailure.atMs);
  }

  #takeUnknownKidFetch(): boolean {
    const last = this.#unknownKidFetchAtMs;
    const failedAtMs = this.#lastFailure?.atMs;
    const mayRepeat = failedAtMs !== undefined && this.#hasPassed(failedRefetchIntervalMs, failedAtMs);
    if (last !== undefined && !mayRepeat && !this.#hasPassed(this.#limits.unknownKidIntervalMs, last)) return false;
    this.#unknownKidFetchAtMs = this.#nowMs();
    return true;
  }

  /** A clock set back must not lengthen a wait by as much: then the wait counts as over. */
  #hasPassed(ms: number, sinceMs: number): boolean {
    const elapsed = this.#nowMs() - sinceMs;
    return elapsed < 0 || elapsed >= ms;
  }

  #nowMs(): number {
    return this.#dependencies.clock.now().getTime();
  }

  /**
   * Joins the fetch under way or starts one. It never rejects and outlives the call that started it: a client that
   * hangs up must not cost the next one its keys. Deadlines bound it.
   */
  #refresh(): Promise<void> {
    if (this.#flight === undefined) {
      const controller = new AbortController();
      const done = this.#fetch(controller.signal).finally(() => {
        this.#flight = undefined;
      });
      this.#flight = { done, controller };
    }
    return this.#flight.done;
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { clock, events, fetch: get = httpGet } = this.#dependencies;
    try {
      const jwks = keepKnownKeys(this.#good?.jwks, await fetchJwks(this.#location, { clock, get }, signal));
      this.#good = { jwks, fetchedAt: clock.now() };
      this.#lastFailure = undefined;
      events?.fetched({ issuer: this.issuer, keyCount: jwks.keys.length, skipped: jwks.skipped });
    } catch (error) {
      this.#lastFailure = { message: errorMessage(error), atMs: this.#nowMs() };
      // Stopped from within is no news about the issuer.
      if (!signal.aborted) events?.fetchFailed({ issuer: this.issuer, error });
    }
  }

  async #keepFresh(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#dependencies;
    const backoff = createBackoff(refreshBackoff, random);
    // Also a fetch that a token started: the process wants to end.
    signal.addEventListener("abort", () => this.#flight?.controller.abort(signal.reason), { once: true });
    while (!signal.aborted) {
      await this.#refresh();
      if (this.#lastFailure === undefined) backoff.reset();
      const waitMs =
        this.#lastFailure === undefined
          ? this.#limits.refreshMs * (1 - random() / 5)
          : backoff.nextMs(this.#limits.refreshMs);
      await sleepUntil(clock, new Date(this.#nowMs() + waitMs), {}, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }
}

/** Whether newer keys could change the answer. */
function mayChange(lookup: KeyLookup): boolean {
  return lookup.kind === "unavailable" || (lookup.kind === "rejected" && lookup.code === "key-not-found");
}

/** Waits for work that goes on without us when `signal` aborts; rejects with its reason then. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
