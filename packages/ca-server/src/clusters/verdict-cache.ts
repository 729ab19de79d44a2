import type { Clock } from "@signet/runtime";
import type { TokenVerdict } from "./token-checker.ts";

/** Remembers for a short while what was said of tokens, by a hash of theirs; the least recently used are forgotten first. */
export interface VerdictCache {
  get(key: string): TokenVerdict | undefined;
  /** Keeps a verdict for `ttlMs`, and not beyond `until`. */
  set(key: string, verdict: TokenVerdict, life: { readonly ttlMs: number; readonly until?: Date }): void;
}

type Entry = { readonly verdict: TokenVerdict; readonly sinceMs: number; readonly untilMs: number };

/** Returns an empty cache of at most `maxEntries`. */
export function createVerdictCache({ maxEntries }: { readonly maxEntries: number }, clock: Clock): VerdictCache {
  const entries = new Map<string, Entry>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      const nowMs = clock.now().getTime();
      // An entry from the future was made before the wall clock was set back; nothing is known of its age.
      if (nowMs < entry.sinceMs || nowMs >= entry.untilMs) return undefined;
      entries.set(key, entry);
      return entry.verdict;
    },
    set(key, verdict, { ttlMs, until }) {
      const sinceMs = clock.now().getTime();
      const untilMs = Math.min(sinceMs + ttlMs, until?.getTime() ?? Number.POSITIVE_INFINITY);
      // Written so that an instant beyond all dates, which no comparison holds for, keeps nothing instead of for ever.
      if (!(untilMs > sinceMs)) return;
      entries.delete(key);
      entries.set(key, { verdict, sinceMs, untilMs });
      if (entries.size <= maxEntries) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    },
  };
}
