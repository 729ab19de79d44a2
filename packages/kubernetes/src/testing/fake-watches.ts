import type { Clock } from "@signet/runtime";
import type { FakeKind } from "./fake-kinds.ts";
import { expired, FakeRefusal } from "./fake-refusal.ts";
import type { FakeStore, StoredChange, StoredObject } from "./fake-store.ts";

/** How a watch under way is ended by hand. */
export type WatchBreak = "end" | "cut" | "gone" | "error" | "silent";

/** The connection is to be cut, in the middle of whatever it is. */
export class ConnectionCut extends Error {
  override readonly name = "ConnectionCut";
}

/** A watch that was asked for. */
export type FakeWatchRequest = {
  readonly kind: FakeKind;
  readonly namespace: string | undefined;
  readonly matches: (object: StoredObject) => boolean;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly bookmarks: boolean;
};

type Control = { broken: WatchBreak | undefined; bookmark: boolean; wake: () => void };

/** The watches under way. */
export class FakeWatches {
  readonly #store: FakeStore;
  readonly #clock: Clock;
  readonly #controls = new Set<Control>();

  constructor(store: FakeStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get count(): number {
    return this.#controls.size;
  }

  break(how: WatchBreak): void {
    for (const control of [...this.#controls]) {
      control.broken = how;
      control.wake();
    }
  }

  bookmark(): void {
    for (const control of [...this.#controls]) {
      control.bookmark = true;
      control.wake();
    }
  }

  /** The lines of a watch until its end. */
  async *lines(request: FakeWatchRequest, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const from = parseVersion(request.resourceVersion);
    if (from < this.#store.forgotten) {
      yield errorLine(expired(`too old resource version: ${from} (${this.#store.forgotten})`));
      return;
    }
    const control: Control = { broken: undefined, bookmark: false, wake: () => undefined };
    const ending = new AbortController();
    const timers = this.#timers(request, control, ending.signal);
    const wake = (): void => control.wake();
    const stopListening = this.#store.listen(wake);
    this.#controls.add(control);
    signal.addEventListener("abort", wake, { once: true });
    try {
      yield* this.#follow(request, { from, control, timers }, signal);
    } finally {
      this.#controls.delete(control);
      stopListening();
      signal.removeEventListener("abort", wake);
      ending.abort();
    }
  }

  async *#follow(
    request: FakeWatchRequest,
    watch: { readonly from: number; readonly control: Control; readonly timers: Timers },
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    const { control, timers } = watch;
    const { plural } = request.kind;
    let seen = watch.from;
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        control.wake = resolve;
      });
      if (control.broken !== undefined && (yield* endLines(control.broken, signal))) return;
      // Forgotten before it was told: nobody may think that nothing happened.
      if (this.#store.hasForgotten(plural, seen) && (yield* endLines("gone", signal))) return;
      const [change] = this.#store.changesSince(plural, seen);
      if (change !== undefined) {
        seen = change.revision;
        const line = changeLine(change, request);
        if (line !== undefined) yield line;
        continue;
      }
      // As in the real server's cache: a bookmark never repeats where the watch began.
      const position = Math.max(this.#store.lastChangeOf(plural), control.bookmark ? this.#store.revision : 0);
      if (request.bookmarks && (control.bookmark || timers.nearEnd) && position > watch.from) {
        control.bookmark = false;
        timers.nearEnd = false;
        yield bookmarkLine(request.kind, position);
        continue;
      }
      if (timers.ended || signal.aborted) return;
      await woken;
    }
  }

  #timers({ timeoutSeconds }: FakeWatchRequest, control: Control, signal: AbortSignal): Timers {
    const timers: Timers = { nearEnd: false, ended: false };
    const after = (seconds: number, act: () => void): void => {
      const fire = (): void => {
        act();
        control.wake();
      };
      this.#clock.sleep(seconds * 1000, signal).then(fire, () => undefined);
    };
    after(Math.max(timeoutSeconds - 2, 0), () => {
      timers.nearEnd = true;
    });
    after(timeoutSeconds, () => {
      timers.ended = true;
    });
    return timers;
  }
}

type Timers = { nearEnd: boolean; ended: boolean };

/** What is said at a break; whether the stream then ends. */
async function* endLines(how: WatchBreak, signal: AbortSignal): AsyncGenerator<string, boolean, undefined> {
  switch (how) {
    case "end":
      return true;
    case "cut":
      throw new ConnectionCut();
    case "gone":
      yield errorLine(expired("The resourceVersion for the provided watch is too old."));
      return true;
    case "error":
      yield errorLine(new FakeRefusal(500, "etcdserver: leader changed", { reason: "InternalError" }));
      return true;
    case "silent":
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      return true;
  }
}

/** The event as a selection sees it: an object that begins to match is added, one that ceases to is deleted. */
function changeLine({ before, after, last }: StoredChange, request: FakeWatchRequest): string | undefined {
  const { namespace, matches } = request;
  const selected = (object: StoredObject | undefined): boolean =>
    object !== undefined && (namespace === undefined || object.metadata.namespace === namespace) && matches(object);
  const was = selected(before);
  const is = selected(after);
  if (!was && !is) return undefined;
  return `${JSON.stringify({ type: is ? (was ? "MODIFIED" : "ADDED") : "DELETED", object: last })}\n`;
}

function bookmarkLine({ apiVersion, kind }: FakeKind, revision: number): string {
  const metadata = { resourceVersion: String(revision), creationTimestamp: null };
  return `${JSON.stringify({ type: "BOOKMARK", object: { kind, apiVersion, metadata } })}\n`;
}

function errorLine(refusal: FakeRefusal): string {
  return `${JSON.stringify({ type: "ERROR", object: refusal.body() })}\n`;
}

function parseVersion(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new FakeRefusal(500, `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint`);
  }
  return Number(text);
}
