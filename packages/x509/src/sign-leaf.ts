import { buildCertificate, buildCertificateAsync, type CertificateContent } from "./build-certificate.ts";
import { bytesEqual } from "./bytes.ts";
import { authorityKeyIdentifier } from "./ca-extensions.ts";
import type { Certificate } from "./certificate.ts";
import { type DerValue, encodeDer, sequence } from "./der/der-writer.ts";
import { tag } from "./der/tag.ts";
import { commonNameOnly, emptyName } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import { purposeId } from "./extended-key-usage.ts";
import { extension, extensionId } from "./extension.ts";
import { type KeyPair, needsThreadPool } from "./key-pair.ts";
import { subjectAltNames } from "./subject-alt-name.ts";
import type { SvidTemplate } from "./svid-template.ts";

/** What `signLeaf` needs: the template, who signs it, and the serial number as unsigned octets. */
export interface SignLeafOptions {
  readonly template: SvidTemplate;
  readonly issuer: { readonly certificate: Certificate; readonly key: KeyPair };
  readonly serialNumber: Uint8Array;
}

/** Longest common name, in characters (RFC 5280 appendix A.1, ub-common-name). */
const maxCommonNameCharacters = 64;

/** digitalSignature and keyEncipherment, for elliptic curve keys too, as Istio has it. */
const keyUsage = encodeDer(
  extension(extensionId.keyUsage, { critical: true }, Uint8Array.of(tag.bitString, 2, 5, 0xa0)),
);
const purposes = encodeDer(
  extension(
    extensionId.extendedKeyUsage,
    { critical: false },
    sequence(purposeId.serverAuth.der, purposeId.clientAuth.der),
  ),
);
/** Not state that anything depends on: what is forgotten is worked out again, and is the same. */
const knownIssuers = new WeakMap<Certificate, { readonly key: KeyPair; readonly extensions: Uint8Array }>();

/** cA is false, the default, and so not written. */
const notACa = encodeDer(extension(extensionId.basicConstraints, { critical: true }, sequence()));

/**
 * Returns the DER of the leaf certificate that `template` describes, signed by `issuer`.
 *
 * Version 3, extensions in this order: key usage (critical: digitalSignature, keyEncipherment), extended key usage
 * (serverAuth, clientAuth), basic constraints (critical, not a CA), authority key identifier if the issuer has a subject
 * key identifier, subject alternative names (critical). The signature algorithm is the default of the issuer's key.
 * Signs synchronously: see `needsThreadPool` for keys that had better not.
 * @throws X509Error `template-invalid`, `serial-number-invalid`, or `issuer-unsuitable` if the issuer's key is not the one
 *   in its certificate or the certificate is not a CA
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { type Certificate, type KeyPair, randomSerialNumber, signLeaf, type SvidTemplate } from "@signet/x509";
 * export function sign(template: SvidTemplate, issuer: { certificate: Certificate; key: KeyPair }): Uint8Array {
 *   return signLeaf({ template, issuer, serialNumber: randomSerialNumber(randomBytes) });
 * }
 * ```
 */
export function signLeaf(options: SignLeafOptions): Uint8Array {
  return buildCertificate(leafContent(options), options.issuer.key);
}

/**
 * Returns what `signLeaf` returns; the signature is made on the thread pool when the key is slow (`needsThreadPool`).
 * @throws X509Error as `signLeaf`
 * @example
 * ```ts
 * import { signLeafAsync, type SignLeafOptions, parseCertificate, type Certificate } from "@signet/x509";
 * export async function signAndReadBack(options: SignLeafOptions): Promise<Certificate> {
 *   return parseCertificate(await signLeafAsync(options));
 * }
 * ```
 */
export async function signLeafAsync(options: SignLeafOptions): Promise<Uint8Array> {
  const { key } = options.issuer;
  return needsThreadPool(key) ? buildCertificateAsync(leafContent(options), key) : signLeaf(options);
}

/**
 * Returns the DER of a leaf that `issuer` signs and that names nobody: whether it leads to a root says whether leaves
 * will, without regard to what they may be called. Valid at all times, over the issuer's own key, and of no use to anyone.
 * @throws X509Error `issuer-unsuitable`
 * @example
 * ```ts
 * import { type Certificate, type KeyPair, parseCertificate, signProbe, verifyChain } from "@signet/x509";
 * export function leadsTo(root: Certificate, issuer: { certificate: Certificate; key: KeyPair }, at: Date): boolean {
 *   const chain = [parseCertificate(signProbe(issuer)), issuer.certificate] as const;
 *   return verifyChain({ chain, roots: [root], at }).kind === "verified";
 * }
 * ```
 */
export function signProbe(issuer: SignLeafOptions["issuer"]): Uint8Array {
  const content = {
    serialNumber: Uint8Array.of(1),
    issuer: issuer.certificate.subject,
    subject: emptyName(),
    notBefore: new Date(0),
    // RFC 5280 section 4.1.2.5: the instant of a certificate without end.
    notAfter: new Date("9999-12-31T23:59:59Z"),
    spki: issuer.key.spki,
    extensions: [constantExtensionsUnder(issuer)],
  };
  return buildCertificate(content, issuer.key);
}

function leafContent({ template, issuer, serialNumber }: SignLeafOptions): CertificateContent {
  const { spki, notBefore, notAfter, commonName } = template;
  const constantExtensions = constantExtensionsUnder(issuer);
  const names = extension(extensionId.subjectAltName, { critical: true }, subjectAltNames(template.subjectAltNames));
  return {
    serialNumber,
    issuer: issuer.certificate.subject,
    subject: commonName === undefined ? emptyName() : subjectOf(commonName),
    notBefore,
    notAfter,
    spki,
    extensions: [constantExtensions, names],
  };
}

/**
 * Returns the extensions that all leaves of an issuer have in common, worked out once for it.
 * @throws X509Error `issuer-unsuitable`
 */
function constantExtensionsUnder({ certificate, key }: SignLeafOptions["issuer"]): Uint8Array {
  const known = knownIssuers.get(certificate);
  if (known?.key === key) {
    return known.extensions;
  }
  if (!certificate.isCa || !bytesEqual(certificate.spki, key.spki)) {
    throw new X509Error("issuer-unsuitable", "issuer is not a CA certificate with the key that is to sign");
  }
  const keyIdentifier = certificate.subjectKeyIdentifier;
  const identified = keyIdentifier === undefined ? [] : [encodeDer(authorityKeyIdentifier(keyIdentifier))];
  const extensions = Uint8Array.from(Buffer.concat([keyUsage, purposes, notACa, ...identified]));
  knownIssuers.set(certificate, { key, extensions });
  return extensions;
}

function subjectOf(commonName: string): DerValue {
  if (commonName === "" || [...commonName].length > maxCommonNameCharacters || !commonName.isWellFormed()) {
    throw new X509Error("template-invalid", `common name is not 1 to ${maxCommonNameCharacters} characters long`);
  }
  return commonNameOnly(commonName);
}
