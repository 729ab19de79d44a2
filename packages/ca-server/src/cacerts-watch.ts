import { CaError, type ReloadingCa } from "@signet/ca";
import { type Clock, errorMessage, type Task, watchFiles } from "@signet/runtime";
import { type CacertsDirectory, readCacertsDirectory } from "./cacerts-directory.ts";
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

/**
 * Returns the task that offers the plugged-in CA's files to the signing CA whenever they may have changed.
 *
 * The directory is read when the task starts, after every notice of the system, and every `pollMs` all the same: on some
 * mounts notices never come. What cannot be read as a whole set, or is gone, is refused and the
 * present set goes on; it is tried again with every look, since a set that is not valid yet becomes so by itself.
 */
export function watchCacerts(options: CacertsWatchOptions, { clock, events }: CacertsWatchDependencies): Task {
  const { directory, pollMs, settleMs } = options;
  const look = createLook(options, events);
  return watchFiles(
    {
      name: "cacerts watch",
      directories: () => [directory],
      look,
      ...(pollMs !== undefined && { pollMs }),
      ...(settleMs !== undefined && { settleMs }),
    },
    { clock, noticeUnavailable: (event) => events.noticeUnavailable(event) },
  ).task;
}

/** One look at a time, and what is remembered from one to the next. */
function createLook(
  { directory, signingCa, keyExposed }: CacertsWatchOptions,
  events: CacertsEvents,
): () => Promise<void> {
  let wasExposed = keyExposed;
  return async () => {
    const found = await read(directory);
    if (found instanceof CaError) {
      signingCa.refuse(found);
      return;
    }
    signingCa.offer(found.files);
    if (found.keyExposed && !wasExposed) events.keyExposed({ path: found.keyPath });
    wasExposed = found.keyExposed;
  };
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
