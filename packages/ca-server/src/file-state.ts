import { chmod, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CaState, CaStateStore } from "@signet/ca";
import {
  acquireFileLock,
  ensurePrivateDirectory,
  readFileCapped,
  removeTemporaries,
  writeFileAtomic,
} from "@signet/runtime";
import { CaServerError } from "./errors.ts";

/** A state directory that belongs to this process until `release`. */
export interface FileState {
  readonly store: CaStateStore;
  /** Writes the trust bundle beside the state, for operators to copy; nothing ever reads it back. */
  publishRoot(pem: string): Promise<void>;
  release(): Promise<void>;
}

const maxStateBytes = 1024 * 1024;
const groupAccess = 0o070;
const othersAccess = 0o007;

/**
 * Opens the state directory of a self-signed CA, which is made with mode 0700 when missing, and locks it against any
 * second process; a lock left by a process that is gone is taken over.
 *
 * Certificate, key and root are one file, `ca.json` (0600), replaced atomically: no crash can leave a key beside another
 * key's certificate. Access for the group is taken away at loading (Kubernetes gives it to every file of a volume with
 * `fsGroup`); a key that every user of the machine can read is refused, for it may be known by now.
 * @throws RuntimeError `locked`; from the store's `load`, CaServerError `state-malformed`, `state-exposed`
 */
export async function openFileState(directory: string): Promise<FileState> {
  await ensurePrivateDirectory(directory);
  const lock = await acquireFileLock(join(directory, "lock"));
  const path = join(directory, "ca.json");
  // Of a start that was killed: a key that never came into use.
  await removeTemporaries(path);
  return {
    store: {
      async load(): Promise<CaState | undefined> {
        if (!(await checkMode(path))) return undefined;
        return parseState((await readFileCapped(path, maxStateBytes)).toString("utf8"), path);
      },
      async save(state): Promise<void> {
        await writeFileAtomic(path, `${JSON.stringify({ version: 1, ...state }, undefined, 2)}\n`, { mode: 0o600 });
      },
    },
    publishRoot: (pem) => publishRoot(join(directory, "root-cert.pem"), pem),
    release: () => lock.release(),
  };
}

/** Writes only what is not there yet, so that a CA with a root starts on a full disk too. */
async function publishRoot(path: string, pem: string): Promise<void> {
  const present = await readFileCapped(path, maxStateBytes).catch(() => undefined);
  if (present?.toString("utf8") !== pem) await writeFileAtomic(path, pem, { mode: 0o600 });
}

/** Whether the file exists, once it is certain that nobody else can read it or has put it there. */
async function checkMode(path: string): Promise<boolean> {
  let mode: number;
  let uid: number;
  try {
    ({ mode, uid } = await stat(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  const user = process.geteuid?.() ?? uid;
  // Before the directory was made private somebody may have put a CA of theirs there.
  if (uid !== user && uid !== 0) {
    throw new CaServerError(
      "state-exposed",
      `${path} belongs to user ${uid} and not to user ${user}, who runs this CA`,
    );
  }
  if ((mode & othersAccess) !== 0) {
    throw new CaServerError(
      "state-exposed",
      `${path} holds the CA's private key, and mode ${(mode & 0o777).toString(8)} lets other users reach it: ` +
        "replace the CA, or set mode 600 if nobody has read it",
    );
  }
  if ((mode & groupAccess) !== 0) await chmod(path, 0o600);
  return true;
}

function parseState(text: string, path: string): CaState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds the key.
    throw malformed(path, "is not JSON");
  }
  if (typeof value !== "object" || value === null) throw malformed(path, "is not a JSON object");
  const fields = value as Readonly<Record<string, unknown>>;
  if (fields.version !== 1) throw malformed(path, "is not of version 1");
  const field = (name: keyof CaState): string => {
    const pem = fields[name];
    if (typeof pem !== "string" || pem === "") throw malformed(path, `has no ${name}`);
    return pem;
  };
  return {
    certificatePem: field("certificatePem"),
    privateKeyPem: field("privateKeyPem"),
    rootCertificatesPem: field("rootCertificatesPem"),
  };
}

function malformed(path: string, defect: string): CaServerError {
  return new CaServerError("state-malformed", `CA state ${path} ${defect}`);
}
