import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PluggedInCaFiles } from "@signet/ca";
import { errorMessage, readFileCapped } from "@signet/runtime";
import { CaServerError } from "./errors.ts";

/** A plugged-in CA as found in a directory. */
export type CacertsDirectory = {
  readonly files: PluggedInCaFiles;
  readonly keyPath: string;
  /** True when every user of the machine may read the private key, as with a Secret mounted with its default mode. */
  readonly keyExposed: boolean;
};

type Layout = { readonly certificate: string; readonly key: string; readonly chain: readonly string[]; root: string };

const istioLayout: Layout = {
  certificate: "ca-cert.pem",
  key: "ca-key.pem",
  chain: ["cert-chain.pem"],
  root: "root-cert.pem",
};
const tlsLayout: Layout = { certificate: "tls.crt", key: "tls.key", chain: ["tls.crt", "ca.crt"], root: "ca.crt" };

const maxFileBytes = 1024 * 1024;
const readableByOthers = 0o004;

/**
 * Returns the plugged-in CA that `directory` holds, in Istio's layout (`ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`,
 * `root-cert.pem`) or that of a TLS Secret (`tls.crt`, `tls.key`, `ca.crt`), or undefined when it holds none of these
 * files or does not exist.
 *
 * Half a CA is an error: starting with a root of our own instead would quietly split the mesh.
 * @throws CaServerError `cacerts-incomplete` naming what is missing, `cacerts-unreadable`
 */
export async function readCacertsDirectory(directory: string): Promise<CacertsDirectory | undefined> {
  const present = await listDirectory(directory);
  const layout = detectLayout(present);
  const wanted = filesOf(layout);
  if (!wanted.some((name) => present.has(name))) return undefined;
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw new CaServerError(
      "cacerts-incomplete",
      `plugged-in CA directory ${directory} is incomplete: ${missing.join(", ")} missing`,
    );
  }
  const keyPath = join(directory, layout.key);
  try {
    const read = async (name: string): Promise<string> =>
      (await readFileCapped(join(directory, name), maxFileBytes)).toString("utf8");
    const chain = await Promise.all(layout.chain.map(read));
    return {
      files: {
        certificatePem: await read(layout.certificate),
        privateKeyPem: await read(layout.key),
        chainPem: chain.join("\n"),
        rootPem: await read(layout.root),
      },
      keyPath,
      keyExposed: ((await stat(keyPath)).mode & readableByOthers) !== 0,
    };
  } catch (error) {
    throw unreadable(directory, error);
  }
}

// As istiod: `tls.crt` decides. Beyond it, a directory with nothing but the other files of a TLS Secret is half a TLS
// Secret and not an empty directory.
function detectLayout(present: ReadonlySet<string>): Layout {
  if (present.has(tlsLayout.certificate)) return tlsLayout;
  if (filesOf(istioLayout).some((name) => present.has(name))) return istioLayout;
  return filesOf(tlsLayout).some((name) => present.has(name)) ? tlsLayout : istioLayout;
}

function filesOf(layout: Layout): readonly string[] {
  return [...new Set([layout.certificate, layout.key, ...layout.chain, layout.root])];
}

async function listDirectory(directory: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(directory));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Set();
    throw unreadable(directory, error);
  }
}

function unreadable(directory: string, cause: unknown): CaServerError {
  return new CaServerError(
    "cacerts-unreadable",
    `plugged-in CA directory ${directory} cannot be read: ${errorMessage(cause)}`,
    { cause },
  );
}
