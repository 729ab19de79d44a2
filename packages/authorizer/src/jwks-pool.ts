import type { JwtRule } from "@signet/documents";
import {
  createJwksSource,
  type HttpGet,
  type JwksEvents,
  type JwksSource,
  type JwksSourceOptions,
  JwtError,
} from "@signet/jwt";
import { type Clock, errorMessage, type Random, type Task } from "@signet/runtime";

/** The way to all issuers: which addresses are refused, whom to trust, through which proxy; see `JwksSourceOptions`. */
export type JwksFetching = Pick<
  JwksSourceOptions,
  "refusePrivateAddresses" | "refusedCidrs" | "caPem" | "caFile" | "proxy" | "maxRedirects"
>;

/** Where keys of rules come from, and how long they count. Times in milliseconds. */
export type JwksPoolOptions = {
  readonly fetching?: JwksFetching;
  /** Whether keys may be fetched over http from other machines. */
  readonly allowHttp: boolean;
  /** As `refreshMs` and `maxAgeMs` of `JwksSourceOptions`. */
  readonly refreshMs?: number;
  readonly maxAgeMs?: number;
};

/** What fetching keys needs. */
export type JwksPoolDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  /** How a document is fetched; by Node's own client unless given. */
  readonly fetch?: HttpGet;
  readonly events?: JwksEvents;
};

/** The keys of one issuer, as health pages tell of them. */
export type JwksHealth = {
  /** Empty for the keys of a rule that is for any issuer. */
  readonly issuer: string;
  /** Absent where the issuer's discovery document says where they are. */
  readonly jwksUri?: string;
  /** How many keys tokens are verified with now. */
  readonly keyCount: number;
  /** How old they are, in milliseconds; absent while none have been fetched. */
  readonly ageMs?: number;
  /** Why the latest fetch failed; absent once one has succeeded again. */
  readonly lastError?: string;
};

/** One source of keys for each issuer and place. */
export interface JwksPool {
  /** The source of a rule that has no keys in itself; undefined where its keys can never be had. */
  sourceOf(rule: JwtRule): JwksSource | undefined;
  /** Keeps the sources of these rules, opens those that are missing, and closes all others. */
  use(rules: readonly JwtRule[]): void;
  /** Keeps the keys of all sources fresh, also of those that come later. */
  readonly task: Task;
  /** By issuer and place. */
  health(): readonly JwksHealth[];
}

type Entry = Pick<JwksHealth, "issuer" | "jwksUri"> & {
  /** Absent where the place is one that keys are never fetched from. */
  readonly source?: JwksSource;
  readonly problem?: string;
  stop?: AbortController;
};

/**
 * Returns a pool without sources.
 * @throws JwtError for a way to issuers that cannot work, such as a range of addresses that is none
 */
export function createJwksPool(options: JwksPoolOptions, dependencies: JwksPoolDependencies): JwksPool {
  // Made to be thrown away: what is wrong for every issuer should be known before the first.
  createJwksSource({ ...options.fetching, issuer: "https://issuer.invalid" }, dependencies);
  return new SharedSources(options, dependencies);
}

class SharedSources implements JwksPool {
  readonly task: Task = { name: "jwks", run: (signal) => this.#run(signal) };
  readonly #options: JwksPoolOptions;
  readonly #dependencies: JwksPoolDependencies;
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** What every source's task runs under while ours does. */
  #running:
    | { readonly signal: AbortSignal; readonly ended: Set<Promise<void>>; fail(error: unknown): void }
    | undefined;

  constructor(options: JwksPoolOptions, dependencies: JwksPoolDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  sourceOf(rule: JwtRule): JwksSource | undefined {
    return this.#entries.get(keyOf(rule))?.source;
  }

  use(rules: readonly JwtRule[]): void {
    const next = new Map<string, Entry>();
    const sharing = Map.groupBy(
      rules.filter(({ jwks }) => jwks === undefined),
      keyOf,
    );
    for (const [key, [first, ...others]] of sharing) {
      if (first === undefined) continue;
      // The longest of those that share the keys, so that none is given less time than it asks for. A source that is open keeps
      // its own: another one would begin without keys.
      const timeoutMs = Math.max(first.timeoutMs, ...others.map((rule) => rule.timeoutMs));
      next.set(key, this.#entries.get(key) ?? this.#open(first, timeoutMs));
    }
    for (const [key, entry] of this.#entries) if (!next.has(key)) entry.stop?.abort();
    this.#entries = next;
    for (const entry of next.values()) this.#start(entry);
  }

  health(): readonly JwksHealth[] {
    const now = this.#dependencies.clock.now().getTime();
    return [...this.#entries.values()].map(({ issuer, jwksUri, source, problem }) => {
      const { keyCount = 0, fetchedAt, lastError = problem } = source?.status() ?? {};
      return {
        issuer,
        keyCount,
        ...(jwksUri === undefined ? {} : { jwksUri }),
        ...(fetchedAt === undefined ? {} : { ageMs: now - fetchedAt.getTime() }),
        ...(lastError === undefined ? {} : { lastError }),
      };
    });
  }

  #open({ issuer, jwksUri }: JwtRule, timeoutMs: number): Entry {
    const { fetching, allowHttp, refreshMs, maxAgeMs } = this.#options;
    const about = { issuer, ...(jwksUri === undefined ? {} : { jwksUri }) };
    try {
      const source = createJwksSource(
        {
          ...fetching,
          ...about,
          timeoutMs,
          // A rule for any issuer is named after the place of its keys.
          issuer: issuer === "" ? (jwksUri ?? "") : issuer,
          allowHttp,
          ...(refreshMs === undefined ? {} : { refreshMs }),
          ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
        },
        this.#dependencies,
      );
      return { ...about, source };
    } catch (error) {
      if (!(error instanceof JwtError)) throw error;
      return { ...about, problem: errorMessage(error) };
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    const { promise: aborted, resolve: end } = Promise.withResolvers<void>();
    const ended = new Set<Promise<void>>();
    this.#running = { signal, ended, fail };
    signal.addEventListener("abort", () => end(), { once: true });
    try {
      for (const entry of this.#entries.values()) this.#start(entry);
      if (!signal.aborted) await Promise.race([failed, aborted]);
    } finally {
      this.#running = undefined;
      for (const entry of this.#entries.values()) this.#halt(entry);
      await Promise.allSettled(ended);
    }
  }

  #start(entry: Entry): void {
    const running = this.#running;
    if (running === undefined || entry.source === undefined || entry.stop !== undefined) return;
    const stop = new AbortController();
    entry.stop = stop;
    const done = entry.source.task.run(AbortSignal.any([running.signal, stop.signal])).catch((error: unknown) => {
      if (!stop.signal.aborted && !running.signal.aborted) running.fail(error);
    });
    running.ended.add(done);
    void done.finally(() => running.ended.delete(done));
  }

  #halt(entry: Entry): void {
    entry.stop?.abort();
    delete entry.stop;
  }
}

/** Rules of one issuer with their keys at one place share them; anything else never does. */
function keyOf({ issuer, jwksUri }: JwtRule): string {
  return JSON.stringify([issuer, jwksUri ?? null]);
}
