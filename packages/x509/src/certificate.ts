import type { KeyObject } from "node:crypto";
import { bytesEqual, hexOf } from "./bytes.ts";
import { type CertificateExtensions, noExtensions, readCertificateExtensions } from "./certificate-extensions.ts";
import { DerReader } from "./der/der-reader.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { readName } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import type { KeyUsage } from "./key-usage.ts";
import { encodePem, splitPem } from "./pem.ts";
import { importPublicKey, type PublicKeyInfo, readSpki } from "./public-key.ts";
import { readSignatureAlgorithm, type SignatureAlgorithm } from "./signature-algorithm.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";

/** Largest certificate, in bytes of DER. */
export const maxCertificateBytes = 65536;

/** Octets of the longest serial number (RFC 5280 section 4.1.2.2). */
const maxSerialNumberBytes = 20;

/** A parsed X.509 certificate (RFC 5280 section 4.1). Parsing checks form only; `verifyChain` checks trust. */
export interface Certificate {
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
  /** The cA flag of the basic constraints. */
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly hasBasicConstraints: boolean;
  /** Whether there is a name constraints extension, critical or not; nothing here enforces it. */
  readonly hasNameConstraints: boolean;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly keyUsageCritical: boolean;
  /** Object identifiers in dotted form. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  readonly subjectAltNames: readonly SubjectAltName[];
  readonly subjectAltNameCritical: boolean;
  /** Object identifiers, in dotted form, of critical extensions that are not evaluated; name constraints are among them. */
  readonly unknownCriticalExtensions: readonly string[];
}

/** Leaf first, then the intermediates that lead to a root; the root itself is not included. */
export type CertificateChain = readonly [Certificate, ...Certificate[]];

/**
 * Returns the certificate in `der`, of which it keeps a copy.
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
  const copy = new Uint8Array(der);
  const outer = new DerReader(copy, "certificate-malformed");
  const certificate = outer.enter(tag.sequence);
  outer.finish();
  const body = readBody(certificate);
  const start = certificate.position;
  const signatureAlgorithm = readSignatureAlgorithm(certificate);
  // RFC 5280 section 4.1.1.2: the same algorithm as in the signed part.
  if (!bytesEqual(certificate.since(start), body.algorithm)) {
    certificate.fail("signature algorithm differs from the one that is signed");
  }
  const signature = certificate.bitString();
  certificate.finish();
  return certificateOf({ der: copy, signatureAlgorithm, signature, ...body });
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

interface Body extends CertificateExtensions {
  readonly tbs: Uint8Array;
  readonly serialNumberOctets: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKeyInfo: PublicKeyInfo;
}

/** TBSCertificate (RFC 5280 section 4.1). */
function readBody(certificate: DerReader): Body {
  const start = certificate.position;
  const body = certificate.enter(tag.sequence);
  const version = readVersion(body);
  const serialNumberOctets = body.unsignedInteger(maxSerialNumberBytes);
  const algorithm = elementRead(body, readSignatureAlgorithm);
  const issuer = elementRead(body, readName);
  const validity = body.enter(tag.sequence);
  const [notBefore, notAfter] = [new Date(validity.time()), new Date(validity.time())];
  validity.finish();
  const subject = elementRead(body, readName);
  const keyStart = body.position;
  const publicKeyInfo = readSpki(body);
  const spki = body.since(keyStart);
  const extensions = readOptionalParts(body, version);
  body.finish();
  return {
    tbs: certificate.since(start),
    serialNumberOctets,
    algorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    spki,
    publicKeyInfo,
    ...extensions,
  };
}

/** Reads one element with `read` and returns its bytes. */
function elementRead(reader: DerReader, read: (reader: DerReader) => unknown): Uint8Array {
  const start = reader.position;
  read(reader);
  return reader.since(start);
}

function readVersion(body: DerReader): number {
  if (body.nextTag !== contextConstructed(0)) {
    return 1;
  }
  const version = body.enter(contextConstructed(0));
  const number = version.smallInteger() + 1;
  version.finish();
  if (number > 3) {
    body.fail(`version ${number} is unknown`);
  }
  return number;
}

/** Unique identifiers, which nobody uses, and extensions, which version 3 brought (RFC 5280 section 4.1). */
function readOptionalParts(body: DerReader, version: number): CertificateExtensions {
  for (const number of [1, 2]) {
    if (version > 1 && body.nextTag === contextPrimitive(number)) {
      body.any();
    }
  }
  if (version < 3 || body.atEnd) {
    return noExtensions();
  }
  const wrapped = body.enter(contextConstructed(3));
  const extensions = readCertificateExtensions(wrapped);
  wrapped.finish();
  return extensions;
}

type Parts = Body & Pick<Certificate, "der" | "signatureAlgorithm" | "signature">;

function certificateOf({ serialNumberOctets, algorithm: _, ...parts }: Parts): Certificate {
  let publicKey: KeyObject | undefined;
  let serialNumber: bigint | undefined;
  return {
    ...parts,
    get serialNumber(): bigint {
      serialNumber ??= BigInt(`0x${hexOf(serialNumberOctets)}`);
      return serialNumber;
    },
    get publicKey(): KeyObject {
      publicKey ??= importPublicKey(parts.spki, "public-key-malformed");
      return publicKey;
    },
  };
}
