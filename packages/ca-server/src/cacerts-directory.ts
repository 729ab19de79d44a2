import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CaFiles } from "@signet/ca";
import { errorCode, errorMessage, isFileMissing, readFileCapped } from "@signet/runtime";
import { type CacertsLayout, detectLayout, filesOf, markerFile, revocationFile } from "./cacerts-layout.ts";
import { CaServerError } from "./errors.ts";

/** A plugged-in CA as found in a directory. */
export type CacertsDirectory = {
  readonly files: CaFiles;
  readonly keyPath: string;
  /** True when every user of the machine may read the private key, as with a Secret mounted with its default mode. */
  readonly keyExposed: boolean;
  /** Whether `istio-generated` is there: a self-signed CA that istiod put into the Secret `cacerts`. */
  readonly generated: boolean;
};

/** Reads a file whole, as `readFileCapped`; passed in where a test writes while we read. */
export type ReadFile = (path: string, maxBytes: number) => Promise<Buffer>;

/** What one pass over the directory found. */
type Reading =
  | { readonly kind: "empty" }
  | { readonly kind: "incomplete"; readonly missing: readonly string[] }
  | { readonly kind: "vanished" }
  | {
      readonly kind: "complete";
      readonly layout: CacertsLayout;
      readonly texts: ReadonlyMap<string, string>;
      readonly generated: boolean;
    };

const maxFileBytes = 1024 * 1024;
const readableByOthers = 0o004;

/** Most passes over a directory in which somebody writes all the while. */
const maxPasses = 6;

/**
 * Returns the plugged-in CA that `directory` holds, in Istio's layout (`ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`,
 * `root-cert.pem`) or that of a TLS Secret (`tls.crt`, `tls.key`, `ca.crt`), each with `ca-crl.pem` if there is one; or
 * undefined when it holds none of these files or does not exist.
 *
 * All files are read from the one directory that `..data` leads to (how Kubernetes replaces a mounted Secret at once),
 * else from what `directory` itself leads to; and read again until two passes found the same. Files of at most 1 MiB.
 * Half a CA is an error: starting with a root of our own instead would quietly split the mesh.
 * @throws CaServerError `cacerts-incomplete` naming what is missing, `cacerts-unreadable` also for one that never rests
 */
export async function readCacertsDirectory(
  directory: string,
  readFile: ReadFile = readFileCapped,
): Promise<CacertsDirectory | undefined> {
  const reading = await readAtRest(directory, readFile);
  switch (reading.kind) {
    case "complete":
      return toCacerts(directory, reading);
    case "incomplete":
      throw new CaServerError(
        "cacerts-incomplete",
        `plugged-in CA directory ${directory} is incomplete: ${reading.missing.join(", ")} missing`,
      );
    default:
      return undefined;
  }
}

async function toCacerts(
  directory: string,
  { layout, texts, generated }: Extract<Reading, { kind: "complete" }>,
): Promise<CacertsDirectory> {
  const text = (name: string): string => texts.get(name) ?? "";
  const crlPem = text(revocationFile);
  const files = {
    certificatePem: text(layout.certificate),
    privateKeyPem: text(layout.key),
    chainPem: layout.chain.map(text).join("\n"),
    rootPem: text(layout.root),
  };
  const keyPath = join(directory, layout.key);
  return {
    files: crlPem.trim() === "" ? files : { ...files, crlPem },
    keyPath,
    keyExposed: await isReadableByOthers(keyPath),
    generated,
  };
}

/** Two passes in a row that found the same; whoever replaces files one by one may be halfway through. */
async function readAtRest(directory: string, readFile: ReadFile): Promise<Reading> {
  try {
    let before = await readOnce(directory, readFile);
    for (let pass = 1; pass < maxPasses; pass++) {
      const reading = await readOnce(directory, readFile);
      if (reading.kind !== "vanished" && isSame(before, reading)) return reading;
      before = reading;
    }
  } catch (error) {
    throw unreadable(directory, errorMessage(error), error);
  }
  throw unreadable(directory, "its files change while they are read");
}

async function readOnce(directory: string, readFile: ReadFile): Promise<Reading> {
  const base = await resolveBase(directory);
  if (base === undefined) return { kind: "empty" };
  try {
    const present = new Set(await readdir(base));
    const layout = detectLayout(present);
    const wanted = filesOf(layout);
    if (!wanted.some((name) => present.has(name))) return { kind: "empty" };
    const missing = wanted.filter((name) => !present.has(name));
    if (missing.length > 0) return { kind: "incomplete", missing };
    const names = present.has(revocationFile) ? [...wanted, revocationFile] : wanted;
    const texts = new Map<string, string>();
    for (const name of names) texts.set(name, (await readFile(join(base, name), maxFileBytes)).toString("utf8"));
    return { kind: "complete", layout, texts, generated: present.has(markerFile) };
  } catch (error) {
    // Listed and gone: it was replaced under our eyes, which the next pass will see.
    if (isFileMissing(error)) return { kind: "vanished" };
    throw error;
  }
}

/** Where a name is looked up once for all files, so that a link that is turned meanwhile turns for none of them. */
async function resolveBase(directory: string): Promise<string | undefined> {
  return (await resolve(join(directory, "..data"))) ?? (await resolve(directory));
}

async function resolve(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    // ENOTDIR of "..data" means that the directory is a file, which listing it will say.
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

async function isReadableByOthers(path: string): Promise<boolean> {
  try {
    return ((await stat(path)).mode & readableByOthers) !== 0;
  } catch {
    // Replaced since it was read; whoever follows the directory comes back.
    return false;
  }
}

function isSame(a: Reading, b: Reading): boolean {
  if (a.kind === "complete" && b.kind === "complete") {
    return a.layout === b.layout && a.generated === b.generated && sameTexts(a.texts, b.texts);
  }
  if (a.kind === "incomplete" && b.kind === "incomplete") return a.missing.join() === b.missing.join();
  return a.kind === b.kind;
}

function sameTexts(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, text]) => b.get(name) === text);
}

function unreadable(directory: string, detail: string, cause?: unknown): CaServerError {
  const message = `plugged-in CA directory ${directory} cannot be read: ${detail}`;
  return new CaServerError("cacerts-unreadable", message, { cause });
}
