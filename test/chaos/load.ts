import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import type { Channel } from "@signet/grpc";
import { onTestFinished } from "vitest";
import { type Caller, type CallOutcome, callOnce } from "./callers.ts";

/** What came of many calls. */
export type LoadReport = {
  /** How many there were of each outcome. */
  readonly counts: ReadonlyMap<CallOutcome["kind"], number>;
  readonly calls: number;
  /** Why certificates that were issued should not have been; the test fails unless it is empty. */
  readonly wrong: readonly string[];
  readonly slowestMs: number;
  /** The sentences that came with refusals. */
  readonly messages: ReadonlySet<string>;
};

/** What came of two spans of calls. */
export function joinReports(first: LoadReport, second: LoadReport): LoadReport {
  const counts = new Map(first.counts);
  for (const [kind, count] of second.counts) counts.set(kind, (counts.get(kind) ?? 0) + count);
  return {
    counts,
    calls: first.calls + second.calls,
    wrong: [...first.wrong, ...second.wrong],
    slowestMs: Math.max(first.slowestMs, second.slowestMs),
    messages: first.messages.union(second.messages),
  };
}

/** The kinds of outcomes that there were, in the order of the alphabet. */
export function kindsOf({ counts }: LoadReport): readonly string[] {
  return [...counts.keys()].toSorted();
}

/** Calls that go on until told otherwise. */
export interface Load {
  /** What came of the calls since the last look; those under way count with the next. */
  take(): LoadReport;
  /** Resolves when so many calls, or so many of one outcome, have ended since the last look; rejects after `limitMs`. */
  until(kind: CallOutcome["kind"] | "any", count: number, limitMs?: number): Promise<void>;
  /** Begins no further call; resolves with the rest when the last one is over. */
  stop(): Promise<LoadReport>;
}

type Tally = {
  counts: Map<CallOutcome["kind"], number>;
  calls: number;
  wrong: string[];
  slowestMs: number;
  messages: Set<string>;
};

/**
 * Keeps `concurrency` calls under way, spread over channels and callers, until the test is over at the latest; with `once`,
 * each is made once.
 */
export function startLoad(options: {
  readonly channels: readonly Channel[];
  readonly callers: readonly Caller[];
  readonly concurrency: number;
  readonly once?: boolean;
}): Load {
  const { channels, callers, concurrency, once = false } = options;
  let tally = emptyTally();
  let over = false;
  let turn = 0;
  const watchers = new Set<() => void>();

  async function keepCalling(worker: number): Promise<void> {
    const channel = channels[worker % channels.length];
    do {
      const caller = callers[turn++ % callers.length];
      if (channel === undefined || caller === undefined) throw new Error("a load needs a channel and a caller");
      const outcome = await callOnce(channel, caller);
      // Not in one expression: by now the tally may be another one.
      note(tally, outcome);
      for (const watcher of watchers) watcher();
      // Calls over a channel that is closed fail without ever leaving the microtasks, which would be the end of everything else.
      await turnOfTheLoop();
    } while (!over && !once);
  }

  // So that one test's calls are not in the way of the next, however it ended.
  onTestFinished(() => {
    over = true;
  });
  const workers = Promise.all(Array.from({ length: concurrency }, (_, worker) => keepCalling(worker)));
  // Seen by stop().
  workers.catch(() => {});

  function take(): LoadReport {
    const taken = tally;
    tally = emptyTally();
    return taken;
  }

  return {
    take,
    until: (kind, count, limitMs = 30_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          const seen = JSON.stringify([...tally.counts]);
          reject(new Error(`no ${count} calls were ${kind} within ${limitMs} ms, but ${seen}`));
        }, limitMs);
        function look(): void {
          if ((kind === "any" ? tally.calls : (tally.counts.get(kind) ?? 0)) < count) return;
          watchers.delete(look);
          clearTimeout(timer);
          resolve();
        }
        watchers.add(look);
        look();
      }),
    async stop() {
      over = true;
      await workers;
      return take();
    },
  };
}

function emptyTally(): Tally {
  return { counts: new Map(), calls: 0, wrong: [], slowestMs: 0, messages: new Set() };
}

function note(tally: Tally, { kind, wrong, durationMs, answer }: CallOutcome): void {
  tally.calls += 1;
  tally.counts.set(kind, (tally.counts.get(kind) ?? 0) + 1);
  tally.slowestMs = Math.max(tally.slowestMs, durationMs);
  if (wrong !== undefined) tally.wrong.push(wrong);
  if (answer.kind === "refused") tally.messages.add(answer.message);
}
