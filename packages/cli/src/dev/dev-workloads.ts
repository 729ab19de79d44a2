import { join } from "node:path";
import { type Clock, ensurePrivateDirectory, type Logger, type Task, writeFileAtomic } from "@signet/runtime";

/** The workloads that `signet dev` keeps token files for. */
export const devWorkloads = [
  { namespace: "demo", serviceAccount: "frontend" },
  { namespace: "demo", serviceAccount: "backend" },
] as const;

/** A service account of the development cluster. */
export type DevWorkload = { readonly namespace: string; readonly serviceAccount: string };

/** Makes a token for a workload that lasts `ttlMs` milliseconds. */
export type MintToken = (workload: DevWorkload, ttlMs: number) => string;

const ttlMs = 3_600_000;
// The kubelet, whose part this plays, replaces a projected token after four fifths of its life.
const refreshMs = 0.8 * ttlMs;
const retryMs = 5_000;
// A laptop sleeps, and a monotonic timer with it; so the wall clock is looked at this often.
const tickMs = 15_000;

/** The file with the token of a workload, as Kubernetes would mount it. */
export function tokenFile(stateDirectory: string, workload: DevWorkload): string {
  return join(stateDirectory, "tokens", workload.namespace, workload.serviceAccount);
}

/** Writes the token file of every workload; mode 0600, each replaced as a whole. */
export async function writeTokenFiles(stateDirectory: string, mint: MintToken): Promise<void> {
  for (const workload of devWorkloads) {
    await ensurePrivateDirectory(join(stateDirectory, "tokens", workload.namespace));
    await writeFileAtomic(tokenFile(stateDirectory, workload), `${mint(workload, ttlMs)}\n`, { mode: 0o600 });
  }
}

/** Keeps the token files, written a moment ago, fresh. A failure is logged and tried again. */
export function createTokenFilesTask(
  stateDirectory: string,
  mint: MintToken,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Task {
  async function run(signal: AbortSignal): Promise<void> {
    let due = clock.now().getTime() + refreshMs;
    while (!signal.aborted) {
      await clock.sleep(Math.min(tickMs, Math.max(0, due - clock.now().getTime())), signal);
      if (clock.now().getTime() < due) continue;
      try {
        await writeTokenFiles(stateDirectory, mint);
        due = clock.now().getTime() + refreshMs;
      } catch (error) {
        logger.error("token files not written", { error });
        due = clock.now().getTime() + retryMs;
      }
    }
  }
  return { name: "token files", run };
}
