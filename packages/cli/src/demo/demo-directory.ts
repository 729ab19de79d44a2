import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
