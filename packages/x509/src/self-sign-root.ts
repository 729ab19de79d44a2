import { buildCertificateAsync } from "./build-certificate.ts";
import { caConstraints, caKeyUsage, subjectKeyIdentifier } from "./ca-extensions.ts";
import { encodeDer } from "./der/der-writer.ts";
import { organizationOnly } from "./distinguished-name.ts";
import type { KeyPair } from "./key-pair.ts";

/** What `selfSignRoot` needs; the serial number is unsigned octets. */
export interface SelfSignRootOptions {
  readonly key: KeyPair;
  readonly organization: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serialNumber: Uint8Array;
}

/**
 * Returns the DER of a self-signed root: subject and issuer are the organization, the key usage keyCertSign, and there is
 * no limit on the path length.
 *
 * The subject key identifier is the first 20 octets of the SHA-256 of the key (RFC 7093 section 2, method 1), so a root
 * made anew from the same key keeps it.
 * @throws X509Error `template-invalid`, `serial-number-invalid`
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { generateKeyPair, randomSerialNumber, selfSignRoot } from "@signet/x509";
 * export async function root(now: Date): Promise<Uint8Array> {
 *   const notAfter = new Date(now.getTime() + 3650 * 86_400_000);
 *   const [key, serialNumber] = [await generateKeyPair("RSA-2048"), randomSerialNumber(randomBytes)];
 *   return selfSignRoot({ key, organization: "cluster.local", notBefore: now, notAfter, serialNumber });
 * }
 * ```
 */
export async function selfSignRoot(options: SelfSignRootOptions): Promise<Uint8Array> {
  const { key, organization, ...rest } = options;
  const name = encodeDer(organizationOnly(organization));
  const extensions = [caKeyUsage, caConstraints(undefined), subjectKeyIdentifier(key.spki)];
  return buildCertificateAsync({ ...rest, issuer: name, subject: name, spki: key.spki, extensions }, key);
}
