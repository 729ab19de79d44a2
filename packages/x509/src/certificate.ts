import type { KeyObject } from "node:crypto";
import { bytesEqual } from "./bytes.ts";
import { type CertificateBody, readCertificateBody } from "./certificate-body.ts";
import type { CertificateExtensions } from "./certificate-extensions.ts";
import { DerReader } from "./der/der-reader.ts";
import { tag } from "./der/tag.ts";
import { X509Error } from "./errors.ts";
import type { KeyUsage } from "./key-usage.ts";
import type { NameConstraints } from "./name-constraints.ts";
import { encodePem, splitPem } from "./pem.ts";
import { importPublicKey, type PublicKeyInfo } from "./public-key.ts";
import { readSignatureAlgorithm, type SignatureAlgorithm } from "./signature-algorithm.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";

/** Largest certificate, in bytes of DER. */
export const maxCertificateBytes = 65536;

/** A parsed X.509 certificate (RFC 5280 section 4.1). Parsing checks form only; `verifyChain` checks trust. */
export interface Certificate extends CertificateExtensions {
  readonly der: Uint8Array;
  /** The TBSCertificate, which the signature covers. */
  readonly tbs: Uint8Array;
  readonly serialNumber: bigint;
  /** DER Name. */
  readonly issuer: Uint8Array;
  /** DER Name. */
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spki: Uint8Array;
  /** Imported on first use; throws X509Error `public-key-malformed` for, say, a point that is not on its curve. */
  readonly publicKey: KeyObject;
  readonly publicKeyInfo: PublicKeyInfo;
  /** "weak" stands for MD5 and SHA-1, "unknown" for whatever else is not verified. */
  readonly signatureAlgorithm: SignatureAlgorithm | "weak" | "unknown";
  readonly signature: Uint8Array;
}

/** Leaf first, then the intermediates that lead to a root; the root itself is not included. */
export type CertificateChain = readonly [Certificate, ...Certificate[]];

/**
 * Returns the certificate in `der`, which it keeps: the bytes must not be changed afterwards.
 *
 * Strict DER, at most 65,536 bytes; the two signature algorithms must be equal and no extension may come twice.
 * @throws X509Error `certificate-malformed`, `key-unsupported`
 * @example
 * ```ts
 * import { parseCertificate, parsePem } from "@signet/x509";
 * export function expiryOf(pem: string): Date[] {
 *   return parsePem(pem, "CERTIFICATE").map((der) => parseCertificate(der).notAfter);
 * }
 * ```
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > maxCertificateBytes) {
    throw new X509Error("certificate-malformed", `certificate of ${der.length} bytes exceeds ${maxCertificateBytes}`);
  }
  const reader = new DerReader(der, "certificate-malformed");
  reader.enter(tag.sequence);
  const body = readCertificateBody(reader);
  const start = reader.position;
  const signatureAlgorithm = readSignatureAlgorithm(reader);
  // RFC 5280 section 4.1.1.2: the same algorithm as in the signed part.
  if (!bytesEqual(reader.since(start), body.algorithm)) {
    reader.fail("signature algorithm differs from the one that is signed");
  }
  const signature = reader.bitString();
  reader.leave();
  reader.finish();
  return new ParsedCertificate({ der, signatureAlgorithm, signature }, body);
}

/**
 * Returns the certificates of every CERTIFICATE block of a PEM text, in order; blocks of other labels are skipped.
 * @throws X509Error `pem-malformed` if there is no such block or one is broken, `pem-too-large`, `certificate-malformed`,
 *   `key-unsupported`
 * @example
 * ```ts
 * import { describeName, parseCertificates } from "@signet/x509";
 * export function subjects(pem: string): string[] {
 *   return parseCertificates(pem).map((certificate) => describeName(certificate.subject));
 * }
 * ```
 */
export function parseCertificates(pem: string): readonly Certificate[] {
  const blocks = splitPem(pem).filter((block) => block.label === "CERTIFICATE");
  if (blocks.length === 0) {
    throw new X509Error("pem-malformed", "text holds no CERTIFICATE block");
  }
  return blocks.map((block) => parseCertificate(block.der));
}

/**
 * Returns the certificate as a PEM block that ends in a newline, so that blocks can be joined to a chain.
 * @example
 * ```ts
 * import { type CertificateChain, certificatePem } from "@signet/x509";
 * export function chainPem(chain: CertificateChain): string {
 *   return chain.map(certificatePem).join("");
 * }
 * ```
 */
export function certificatePem(certificate: Certificate): string {
  return encodePem("CERTIFICATE", certificate.der);
}

/**
 * Returns the serial number in lower-case hexadecimal digits, two for each octet and no leading zero octet; zero is "0".
 *
 * This is how Envoy writes serial numbers (access logs, `match_subject`), and how `openssl x509 -serial` does but for case.
 * @example
 * ```ts
 * import { type Certificate, serialNumberHex } from "@signet/x509";
 * export function sameSerialNumber(certificate: Certificate, openssl: string): boolean {
 *   return serialNumberHex(certificate) === openssl.toLowerCase();
 * }
 * ```
 */
export function serialNumberHex(certificate: Certificate): string {
  const digits = certificate.serialNumber.toString(16);
  return digits.length % 2 === 0 || digits === "0" ? digits : `0${digits}`;
}

type SignedPart = Pick<Certificate, "der" | "signatureAlgorithm" | "signature">;

/** Only the key is left for later: importing it costs more than all the rest. */
class ParsedCertificate implements Certificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly serialNumber: bigint;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spki: Uint8Array;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly signatureAlgorithm: Certificate["signatureAlgorithm"];
  readonly signature: Uint8Array;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly hasBasicConstraints: boolean;
  readonly nameConstraints: NameConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly keyUsageCritical: boolean;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  readonly subjectAltNames: readonly SubjectAltName[];
  readonly subjectAltNameCritical: boolean;
  readonly unknownCriticalExtensions: readonly string[];
  #publicKey: KeyObject | undefined;

  constructor(signed: SignedPart, body: CertificateBody) {
    this.der = signed.der;
    this.tbs = body.tbs;
    this.serialNumber = body.serialNumber;
    this.issuer = body.issuer;
    this.subject = body.subject;
    this.notBefore = body.notBefore;
    this.notAfter = body.notAfter;
    this.spki = body.spki;
    this.publicKeyInfo = body.publicKeyInfo;
    this.signatureAlgorithm = signed.signatureAlgorithm;
    this.signature = signed.signature;
    this.isCa = body.extensions.isCa;
    this.pathLength = body.extensions.pathLength;
    this.hasBasicConstraints = body.extensions.hasBasicConstraints;
    this.nameConstraints = body.extensions.nameConstraints;
    this.keyUsage = body.extensions.keyUsage;
    this.keyUsageCritical = body.extensions.keyUsageCritical;
    this.extendedKeyUsage = body.extensions.extendedKeyUsage;
    this.subjectKeyIdentifier = body.extensions.subjectKeyIdentifier;
    this.authorityKeyIdentifier = body.extensions.authorityKeyIdentifier;
    this.subjectAltNames = body.extensions.subjectAltNames;
    this.subjectAltNameCritical = body.extensions.subjectAltNameCritical;
    this.unknownCriticalExtensions = body.extensions.unknownCriticalExtensions;
  }

  get publicKey(): KeyObject {
    this.#publicKey ??= importPublicKey(this.spki, "public-key-malformed");
    return this.#publicKey;
  }
}
