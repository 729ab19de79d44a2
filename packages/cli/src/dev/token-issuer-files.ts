import { join } from "node:path";
import { ensurePrivateDirectory, isFileMissing, readFileCapped, writeFileAtomic } from "@signet/runtime";
import { TokenIssuerError } from "./token-issuer-error.ts";
import { formatKeys, type IssuerKeys, parseKeys } from "./token-issuer-keys.ts";

const maxFileBytes = 262_144;

/** Where the token issuer keeps things below the state directory. */
export type TokenIssuerFiles = {
  /** A private directory. */
  readonly directory: string;
  readonly keys: string;
  /** Held by the one process that rotates the keys. */
  readonly lock: string;
  /** Who the issuer is: `{"issuer": "http://127.0.0.1:15080"}`. */
  readonly issuer: string;
};

/** The places of the token issuer's files; nothing is made or read. */
export function tokenIssuerFiles(stateDirectory: string): TokenIssuerFiles {
  const directory = join(stateDirectory, "issuer");
  return {
    directory,
    keys: join(directory, "keys.json"),
    lock: join(directory, "lock"),
    issuer: join(stateDirectory, "issuer.json"),
  };
}

/**
 * Returns the issuer's keys, or undefined when there are none yet.
 * @throws TokenIssuerError `state-damaged`; RuntimeError `file-unreadable`, `file-too-large`
 */
export async function readIssuerKeys(stateDirectory: string): Promise<IssuerKeys | undefined> {
  const path = tokenIssuerFiles(stateDirectory).keys;
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return parseKeys(text);
  } catch (error) {
    throw damagedFile(path, error);
  }
}

/** Replaces the issuer's keys as a whole; mode 0600 in a directory of mode 0700. */
export async function writeIssuerKeys(stateDirectory: string, keys: IssuerKeys): Promise<void> {
  const { directory, keys: path } = tokenIssuerFiles(stateDirectory);
  await ensurePrivateDirectory(directory);
  await writeFileAtomic(path, formatKeys(keys), { mode: 0o600 });
}

/**
 * Returns the URL of the issuer that `signet dev` ran last, or undefined when it never ran with this state directory.
 * @throws TokenIssuerError `state-damaged`; RuntimeError `file-unreadable`, `file-too-large`
 */
export async function readIssuerUrl(stateDirectory: string): Promise<string | undefined> {
  const path = tokenIssuerFiles(stateDirectory).issuer;
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null && "issuer" in document) {
      if (typeof document.issuer === "string" && document.issuer !== "") return document.issuer;
    }
  } catch (error) {
    throw damagedFile(path, error);
  }
  throw damagedFile(path, undefined);
}

/** Writes down who the issuer is, for `signet token`. */
export async function writeIssuerUrl(stateDirectory: string, issuer: string): Promise<void> {
  await writeFileAtomic(tokenIssuerFiles(stateDirectory).issuer, `${JSON.stringify({ issuer })}\n`, { mode: 0o600 });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFileCapped(path, maxFileBytes)).toString("utf8");
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    throw error;
  }
}

function damagedFile(path: string, error: unknown): TokenIssuerError {
  const why = error instanceof TokenIssuerError ? error.message : "not what `signet dev` wrote";
  return new TokenIssuerError("state-damaged", `${path} is damaged: ${why}; remove it and start \`signet dev\` again`);
}
