import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

// The longest name in the directory is "frontend-admin.sock"; macOS takes 103 bytes for the path of a socket, Linux 107.
const maxDirectoryBytes = 80;

/** Makes the demo's private directory and returns its path, short enough for the sockets in it. */
export function makeDemoDirectory(): string {
  const base = [tmpdir(), "/tmp"].find(
    (path) => Buffer.byteLength(path) <= maxDirectoryBytes - "/signet-demo-XXXXXX".length,
  );
  if (base === undefined) {
    throw new Error(`the path of the temporary directory ${tmpdir()} is too long for the sockets in it; set TMPDIR`);
  }
  return mkdtempSync(join(base, "signet-demo-"));
}

const patience = { attempts: 50, pauseMs: 100 };

/**
 * Removes the demo's directory, whatever is in it.
 *
 * Programs that have just been killed, and a guard that cleans up behind one, may be changing it still; so it is looked at
 * again until it is gone.
 */
export async function removeDemoDirectory(directory: string): Promise<void> {
  for (let left = patience.attempts; ; left -= 1) {
    try {
      await rm(directory, { recursive: true, force: true });
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(patience.pauseMs);
    }
  }
}
