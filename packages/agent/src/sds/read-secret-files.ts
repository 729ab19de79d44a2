import { createPrivateKey, X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { errorMessage, readFileCapped } from "@signet/runtime";
import { encodePem, splitPem } from "@signet/x509";
import { AgentError } from "../errors.ts";
import type { FileReference } from "./secret-names.ts";

/** What files hold, as it goes to Envoy. */
export type FileMaterial =
  | { readonly kind: "certificate"; readonly chainPem: string; readonly keyPem: string }
  | { readonly kind: "roots"; readonly rootsPem: string };

/** Longest file, in bytes. */
const maxFileBytes = 1_048_576;

/**
 * Returns what the files of a secret hold now.
 *
 * Certificate and key are read as a pair: where they do not belong together somebody is writing them just now, and neither is
 * used. Certificates are read by OpenSSL, as it is not for us to say what a gateway may show to browsers; what it cannot read is
 * left out of roots, and refused in a chain. A key that is encrypted is refused. No file over 1 MiB.
 * @throws AgentError `secret-files-unusable`, with the path and never with content
 */
export async function readSecretFiles(reference: FileReference): Promise<FileMaterial> {
  switch (reference.kind) {
    case "certificate-files":
      return await readPair(reference);
    case "root-file":
      return { kind: "roots", rootsPem: rootsIn(await readText(reference.rootFile), reference.rootFile) };
    case "system-roots":
      return { kind: "roots", rootsPem: rootsIn(getCACertificates("system").join("\n"), "the system's trust store") };
  }
}

async function readPair(files: Extract<FileReference, { kind: "certificate-files" }>): Promise<FileMaterial> {
  const { certificateFile, keyFile } = files;
  const chain = blocksIn(await readText(certificateFile), certificateFile).filter(({ label }) => isCertificate(label));
  const keyText = await readText(keyFile);
  const [leaf, ...rest] = chain.map(({ der }) => parseWith(() => new X509Certificate(der), certificateFile));
  if (leaf === undefined) throw unusable(`${certificateFile} holds no certificate`);
  const key = parseWith(() => createPrivateKey(keyText), keyFile);
  if (!leaf.checkPrivateKey(key)) throw unusable(`${keyFile} is not the key of the certificate in ${certificateFile}`);
  const chainPem = [leaf, ...rest].map((certificate) => encodePem("CERTIFICATE", certificate.raw)).join("");
  return { kind: "certificate", chainPem, keyPem: key.export({ type: "pkcs8", format: "pem" }).toString() };
}

function rootsIn(text: string, path: string): string {
  const roots = blocksIn(text, path).flatMap(({ label, der }) => {
    if (!isCertificate(label)) return [];
    try {
      return [encodePem("CERTIFICATE", new X509Certificate(der).raw)];
    } catch {
      return [];
    }
  });
  if (roots.length === 0) throw unusable(`${path} holds no certificate`);
  return [...new Set(roots)].join("");
}

function isCertificate(label: string): boolean {
  return label === "CERTIFICATE" || label === "TRUSTED CERTIFICATE";
}

function blocksIn(text: string, path: string): ReturnType<typeof splitPem> {
  return parseWith(() => splitPem(text), path);
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFileCapped(path, maxFileBytes)).toString("utf8");
  } catch (error) {
    throw unusable(errorMessage(error), error);
  }
}

/** What a parser says may quote what it could not read. */
function parseWith<T>(parse: () => T, path: string): T {
  try {
    return parse();
  } catch {
    throw unusable(`${path} cannot be read as PEM of what it should hold`);
  }
}

function unusable(message: string, cause?: unknown): AgentError {
  return new AgentError("secret-files-unusable", message, cause === undefined ? {} : { cause });
}
