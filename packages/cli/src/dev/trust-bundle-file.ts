import { type Logger, type Source, type Task, writeFileAtomic } from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";

/** Keeps a file with the CA's trust bundle, which agents verify the CA server against. */
export function createTrustBundleFileTask(path: string, trustBundle: Source<TrustBundle>, logger: Logger): Task {
  async function run(signal: AbortSignal): Promise<void> {
    for await (const { pem } of trustBundle.changes(signal)) {
      await writeFileAtomic(path, pem, { mode: 0o644 }).catch((error: unknown) => {
        logger.error("trust bundle file not written", { path, error });
      });
    }
  }
  return { name: "trust bundle file", run };
}
