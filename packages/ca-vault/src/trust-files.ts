import { createSecureContext } from "node:tls";
import { errorMessage, readFileCapped } from "@signet/runtime";
import { parseCertificates, parseTrustBundle, type TrustBundle } from "@signet/x509";
import { VaultError } from "./errors.ts";
import type { VaultSettings } from "./vault-settings.ts";
import type { TlsMaterial } from "./vault-transport.ts";

/** Largest PEM file, in bytes. */
const maxPemBytes = 1_048_576;

/**
 * Returns what TLS with Vault goes by, as the files say now.
 * @throws VaultError `config-invalid`, naming the file
 */
export async function readTlsMaterial(
  settings: Pick<VaultSettings, "caFile" | "clientCertificate">,
): Promise<TlsMaterial> {
  const { caFile, clientCertificate } = settings;
  const ca = caFile === undefined ? {} : { ca: await readText(caFile) };
  if (ca.ca !== undefined) checked(caFile, () => parseCertificates(ca.ca ?? ""));
  if (clientCertificate === undefined) return ca;
  const certificate = await readText(clientCertificate.certificateFile);
  const key = await readText(clientCertificate.keyFile);
  // Both at once: one of them may have been replaced and the other not yet.
  checked(clientCertificate.keyFile, () => createSecureContext({ cert: certificate, key }));
  return { ...ca, certificate, key };
}

/**
 * Returns the pinned roots as their file says now.
 * @throws VaultError `config-invalid`
 */
export async function readPinnedRoots(path: string): Promise<TrustBundle> {
  const text = await readText(path);
  // It goes out word for word, to every workload.
  if (/-----BEGIN [^\n]*PRIVATE KEY/.test(text)) throw invalid(`${path} holds a private key`);
  const bundle = checked(path, () => parseTrustBundle(text));
  const [unreadable] = bundle.skipped;
  // Envoy refuses a whole bundle for one certificate that it cannot read.
  if (unreadable !== undefined) throw invalid(`${path} holds a certificate that cannot be read: ${unreadable}`);
  return bundle;
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFileCapped(path, maxPemBytes)).toString("utf8");
  } catch (cause) {
    throw new VaultError("config-invalid", errorMessage(cause), { cause });
  }
}

function checked<T>(path: string | undefined, parse: () => T): T {
  try {
    return parse();
  } catch {
    // The cause is left out: errors about keys may quote them.
    throw invalid(`${path} cannot be used`);
  }
}

function invalid(message: string): VaultError {
  return new VaultError("config-invalid", message);
}
