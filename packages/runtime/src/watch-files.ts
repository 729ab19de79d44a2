import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "./clock.ts";
import { createDirectoryNotices, type DirectoryNotices } from "./directory-notices.ts";
import type { Task } from "./run-group.ts";

/** Files that are looked at again whenever they may have changed. */
export type WatchFilesOptions = {
  /** What the task is called. */
  readonly name: string;
  /** The directories whose changes matter, asked anew before each look; there may be none yet. */
  readonly directories: () => readonly string[] | Promise<readonly string[]>;
  /** Reads the files and does what is to be done; what it throws ends the task. */
  readonly look: (signal: AbortSignal) => Promise<void>;
  /** Longest time between two looks, in milliseconds; default 10 seconds. */
  readonly pollMs?: number;
  /** How long, in milliseconds, the directories must rest after a notice before they are looked at; default 200. */
  readonly settleMs?: number;
};

/** What the watch needs; `noticeUnavailable` is told once of each directory that the system gives no notice of. */
export type WatchFilesDependencies = {
  readonly clock: Clock;
  readonly noticeUnavailable?: (event: {
    readonly directory: string;
    readonly error: unknown;
    readonly pollMs: number;
  }) => void;
};

/** A task that looks at files again and again, and a way to have it look at once. */
export type FileWatch = { readonly task: Task; lookAgain(): void };

const defaultPollMs = 10_000;
const defaultSettleMs = 200;

/** Somebody who writes without a pause delays a look by no more than this many rests. */
const maxRests = 10;

/**
 * Looks at files at once, then after each change that the system tells of, and in any case every `pollMs`: notices are hints,
 * which network file systems never give and which a replaced directory takes with it.
 * @example
 * ```ts
 * import { systemClock, watchFiles } from "@signet/runtime";
 * const { task } = watchFiles(
 *   { name: "watch policies", directories: () => ["/etc/signet"], look: async () => {} },
 *   { clock: systemClock },
 * );
 * await task.run(AbortSignal.abort());
 * ```
 */
export function watchFiles(options: WatchFilesOptions, dependencies: WatchFilesDependencies): FileWatch {
  const notices = createDirectoryNotices();
  const run = (signal: AbortSignal): Promise<void> => new Watch(options, dependencies, notices).run(signal);
  return { task: { name: options.name, run }, lookAgain: () => notices.note() };
}

/**
 * The directories in which a change can change what one of `paths` leads to: its own, which holds a link that is replaced, and
 * that of what it leads to by now. A kubelet, for one, replaces the link `..data` beside the files of a volume.
 * @example
 * ```ts
 * import { directoriesOf } from "@signet/runtime";
 * await directoriesOf(["/etc/certs/key.pem"]); // ["/etc/certs"], and where key.pem is a link, its target's directory
 * ```
 */
export async function directoriesOf(paths: readonly string[]): Promise<readonly string[]> {
  const targets = await Promise.all(paths.map((path) => realpath(path).catch(() => path)));
  return [...new Set([...paths, ...targets].map((path) => dirname(path)))];
}

class Watch {
  readonly #options: WatchFilesOptions;
  readonly #dependencies: WatchFilesDependencies;
  readonly #pollMs: number;
  readonly #settleMs: number;
  readonly #notices: DirectoryNotices;
  #withoutNotice: ReadonlySet<string> = new Set();

  constructor(options: WatchFilesOptions, dependencies: WatchFilesDependencies, notices: DirectoryNotices) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#pollMs = options.pollMs ?? defaultPollMs;
    this.#settleMs = options.settleMs ?? defaultSettleMs;
    this.#notices = notices;
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        // Before the look, so that nothing changes unnoticed between the two.
        this.#notices.clear();
        this.#listen(await this.#options.directories());
        await this.#options.look(signal);
        await this.#rest(signal);
      }
    } finally {
      this.#notices.close();
    }
  }

  #listen(directories: readonly string[]): void {
    const refused = this.#notices.renew(directories);
    for (const { directory, error } of refused) {
      if (this.#withoutNotice.has(directory)) continue;
      this.#dependencies.noticeUnavailable?.({ directory, error, pollMs: this.#pollMs });
    }
    this.#withoutNotice = new Set(refused.map(({ directory }) => directory));
  }

  /** Until the next look is due, or there was a notice and then quiet. */
  async #rest(signal: AbortSignal): Promise<void> {
    if (!(await this.#noticedWithin(this.#pollMs, signal))) return;
    for (let rest = 0; rest < maxRests; rest++) {
      this.#notices.clear();
      await this.#dependencies.clock.sleep(this.#settleMs, signal);
      if (!this.#notices.pending()) return;
    }
  }

  async #noticedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const timer = this.#dependencies.clock.sleep(ms, stop.signal).then(() => false);
    const notice = this.#notices.next(stop.signal).then(() => true);
    try {
      return await Promise.race([timer, notice]);
    } finally {
      signal.removeEventListener("abort", abort);
      stop.abort();
      await Promise.allSettled([timer, notice]);
    }
  }
}
