import type { KeyObject } from "node:crypto";
import type { PublicKeyInfo } from "./public-key.ts";
import type { SignatureAlgorithm } from "./signature-algorithm.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";

/** A key usage bit (RFC 5280 section 4.2.1.3). */
export type KeyUsage =
  | "digitalSignature"
  | "contentCommitment"
  | "keyEncipherment"
  | "dataEncipherment"
  | "keyAgreement"
  | "keyCertSign"
  | "cRLSign"
  | "encipherOnly"
  | "decipherOnly";

/** A parsed X.509 certificate (RFC 5280 section 4.1); parsing checks form only, `verifyChain` checks trust. */
export interface Certificate {
  readonly der: Uint8Array;
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
  /** "weak" stands for MD5 and SHA-1, "unknown" for the rest that we do not verify. */
  readonly signatureAlgorithm: SignatureAlgorithm | "weak" | "unknown";
  readonly signature: Uint8Array;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly hasBasicConstraints: boolean;
  /** Whether there is a name constraints extension, critical or not; this package does not enforce them. */
  readonly hasNameConstraints: boolean;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly keyUsageCritical: boolean;
  /** OIDs in dotted form. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  readonly subjectAltNames: readonly SubjectAltName[];
  readonly subjectAltNameCritical: boolean;
  /** OIDs, in dotted form, of critical extensions that this package does not evaluate. */
  readonly unknownCriticalExtensions: readonly string[];
}

/** Leaf first, then the intermediates that lead to a root; the root itself is not included. */
export type CertificateChain = readonly [Certificate, ...Certificate[]];

export function parseCertificate(der: Uint8Array): Certificate {
  throw new Error(`not built yet ${der.length}`);
}
export function parseCertificates(pem: string): readonly Certificate[] {
  throw new Error(`not built yet ${pem.length}`);
}
export function certificatePem(certificate: Certificate): string {
  throw new Error(`not built yet ${certificate.der.length}`);
}
export function serialNumberHex(certificate: Certificate): string {
  throw new Error(`not built yet ${certificate.der.length}`);
}
