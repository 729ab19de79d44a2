import { CaError, type ReloadingCa } from "@signet/ca";
import { type Clock, errorMessage, type Task } from "@signet/runtime";
import { type CacertsDirectory, readCacertsDirectory } from "./cacerts-directory.ts";
import { type CacertsNotices, createCacertsNotices } from "./cacerts-notices.ts";
import { CaServerError } from "./errors.ts";

/** What following the directory reports, besides what the signing CA's `ReloadEvents` say of each set; must not throw. */
export interface CacertsEvents {
  /** Every user of the machine may read the private key; once for each time that this becomes so. */
  keyExposed(event: { readonly path: string }): void;
  /** The system gives no notice of changes; they are found by looking every `pollMs`. Once until it works again. */
  noticeUnavailable(event: { readonly directory: string; readonly error: unknown; readonly pollMs: number }): void;
}

/** What is followed, and who is told. */
export type CacertsWatchOptions = {
  readonly directory: string;
  readonly signingCa: Pick<ReloadingCa, "offer" | "refuse">;
  /** As the directory was found at the start, so that an exposed key is not told twice. */
  readonly keyExposed: boolean;
  /** Longest time between two looks; 10 seconds by default. */
  readonly pollMs?: number;
  /** How long the directory must rest after a notice before it is read; 200 milliseconds by default. */
  readonly settleMs?: number;
};

/** What the watch needs. */
export type CacertsWatchDependencies = { readonly clock: Clock; readonly events: CacertsEvents };

const defaultPollMs = 10_000;
const defaultSettleMs = 200;

/** Somebody who writes without a pause delays a look by no more than this many rests. */
const maxRests = 10;

/**
 * Returns the task that offers the plugged-in CA's files to the signing CA whenever they may have changed.
 *
 * The directory is read when the task starts, after every notice of the system, and every `pollMs` all the same: on some
 * mounts notices never come. What cannot be read as a whole set, or is gone, is refused and the
 * present set goes on; it is tried again with every look, since a set that is not valid yet becomes so by itself.
 */
export function watchCacerts(options: CacertsWatchOptions, dependencies: CacertsWatchDependencies): Task {
  return { name: "cacerts watch", run: (signal) => new CacertsWatch(options, dependencies).run(signal) };
}

class CacertsWatch {
  readonly #options: CacertsWatchOptions;
  readonly #clock: Clock;
  readonly #events: CacertsEvents;
  readonly #pollMs: number;
  readonly #settleMs: number;
  readonly #notices: CacertsNotices;
  #keyExposed: boolean;
  #noticeMissing = false;

  constructor(options: CacertsWatchOptions, { clock, events }: CacertsWatchDependencies) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    this.#pollMs = options.pollMs ?? defaultPollMs;
    this.#settleMs = options.settleMs ?? defaultSettleMs;
    this.#keyExposed = options.keyExposed;
    this.#notices = createCacertsNotices(options.directory);
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        // Before the look, so that nothing changes unnoticed between the two.
        this.#listen();
        await this.#look();
        await this.#rest(signal);
      }
    } finally {
      this.#notices.close();
    }
  }

  #listen(): void {
    const { directory } = this.#options;
    const error = this.#notices.renew();
    if (error !== undefined && !this.#noticeMissing) {
      this.#events.noticeUnavailable({ directory, error, pollMs: this.#pollMs });
    }
    this.#noticeMissing = error !== undefined;
  }

  async #look(): Promise<void> {
    const { directory, signingCa } = this.#options;
    const found = await read(directory);
    if (found instanceof CaError) {
      signingCa.refuse(found);
      return;
    }
    signingCa.offer(found.files);
    if (found.keyExposed && !this.#keyExposed) this.#events.keyExposed({ path: found.keyPath });
    this.#keyExposed = found.keyExposed;
  }

  /** Until the next look is due, or there was a notice and then quiet. */
  async #rest(signal: AbortSignal): Promise<void> {
    if (!(await this.#noticedWithin(this.#pollMs, signal))) return;
    for (let rest = 0; rest < maxRests; rest++) {
      this.#notices.clear();
      await this.#clock.sleep(this.#settleMs, signal);
      if (!this.#notices.pending()) return;
    }
  }

  async #noticedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const timer = this.#clock.sleep(ms, stop.signal).then(() => false);
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

async function read(directory: string): Promise<CacertsDirectory | CaError> {
  try {
    const found = await readCacertsDirectory(directory);
    return found ?? new CaError("ca-material-invalid", `plugged-in CA directory ${directory} holds no CA any more`);
  } catch (error) {
    if (!(error instanceof CaServerError)) throw error;
    return new CaError("ca-material-invalid", errorMessage(error), { cause: error });
  }
}
