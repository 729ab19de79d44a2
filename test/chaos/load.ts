import type { Channel } from "@signet/grpc";
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

/** Calls that go on until told otherwise. */
export interface Load {
  /** What came of the calls since the last look; those under way count with the next. */
  take(): LoadReport;
  /** Resolves when so many calls of one outcome have ended since the last look, rejects after `limitMs`. */
  until(kind: CallOutcome["kind"], count: number, limitMs?: number): Promise<void>;
  /** Ends it; resolves with the rest when the last call is over. */
  stop(): Promise<LoadReport>;
}

type Tally = {
  counts: Map<CallOutcome["kind"], number>;
  calls: number;
  wrong: string[];
  slowestMs: number;
  messages: Set<string>;
};

/** Keeps `concurrency` calls under way, spread over channels and callers. */
export function startLoad(options: {
  readonly channels: readonly Channel[];
  readonly callers: readonly Caller[];
  readonly concurrency: number;
}): Load {
  const { channels, callers, concurrency } = options;
  let tally = emptyTally();
  let over = false;
  let turn = 0;
  const watchers = new Set<() => void>();

  async function keepCalling(worker: number): Promise<void> {
    const channel = channels[worker % channels.length];
    while (!over) {
      const caller = callers[turn++ % callers.length];
      if (channel === undefined || caller === undefined) throw new Error("a load needs a channel and a caller");
      note(tally, await callOnce(channel, caller));
      for (const watcher of watchers) watcher();
    }
  }

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
          if ((tally.counts.get(kind) ?? 0) < count) return;
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

/** So many calls at once, from nothing; resolves when the last is over. */
export async function burst(options: {
  readonly channels: readonly Channel[];
  readonly callers: readonly Caller[];
  readonly calls: number;
}): Promise<LoadReport> {
  const { channels, callers, calls } = options;
  const tally = emptyTally();
  const one = async (index: number): Promise<void> => {
    const [channel, caller] = [channels[index % channels.length], callers[index % callers.length]];
    if (channel === undefined || caller === undefined) throw new Error("a burst needs a channel and a caller");
    note(tally, await callOnce(channel, caller));
  };
  await Promise.all(Array.from({ length: calls }, (_, index) => one(index)));
  return tally;
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
