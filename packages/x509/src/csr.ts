import type { KeyObject } from "node:crypto";
import { DerReader } from "./der/der-reader.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { contextConstructed, tag } from "./der/tag.ts";
import { readCommonNamePresence } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import { extensionId, readExtensions } from "./extension.ts";
import { nextPemBlock } from "./pem.ts";
import { importPublicKey, type PublicKeyInfo, readSpki } from "./public-key.ts";
import { fitsKey, readSignatureAlgorithm, type SignatureAlgorithm, verifyBytes } from "./signature-algorithm.ts";
import { readSubjectAltNames, type SubjectAltName } from "./subject-alt-name.ts";

/** Largest CSR, in bytes of DER. */
export const maxCsrBytes = 65536;

/** Longest CSR text, in characters: 64 KiB of DER in base64 with CR LF every 64 columns, and 2 KiB for labels and comments. */
export const maxCsrCharacters = 92160;

/**
 * A parsed PKCS#10 certification request (RFC 2986).
 *
 * Parsing checks form and key, not possession of it: that is what `verifyCsr` says. The names are for people and tests
 * only; a CA never signs a name because a CSR asks for it.
 */
export interface Csr {
  readonly der: Uint8Array;
  /** The CertificationRequestInfo, which the signature covers. */
  readonly tbs: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly hasCommonName: boolean;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly requestedSubjectAltNames: readonly SubjectAltName[];
}

const extensionRequest = objectIdentifier("1.2.840.113549.1.9.14");
const attributeTypes = [extensionRequest] as const;

/**
 * Returns the CSR in the first PEM block of `pem`, labelled CERTIFICATE REQUEST or NEW CERTIFICATE REQUEST; what follows
 * that block is not read, as in Istio.
 *
 * The size is checked before anything is parsed: at most 65,536 bytes of DER and 92,160 characters of text. Signatures
 * with SHA-1 or MD5 are refused.
 * @throws X509Error `csr-too-large`, `csr-malformed`, `key-unsupported`, `signature-algorithm-unsupported`
 * @example
 * ```ts
 * import { parseCsr, verifyCsr } from "@signet/x509";
 * export function provesPossession(pem: string): boolean {
 *   return verifyCsr(parseCsr(pem));
 * }
 * ```
 */
export function parseCsr(pem: string): Csr {
  if (pem.length > maxCsrCharacters) {
    throw new X509Error("csr-too-large", `CSR of ${pem.length} characters exceeds ${maxCsrCharacters}`);
  }
  const der = decodePem(pem);
  if (der.length > maxCsrBytes) {
    throw new X509Error("csr-too-large", `CSR of ${der.length} bytes exceeds ${maxCsrBytes}`);
  }
  const reader = new DerReader(der, "csr-malformed");
  reader.enter(tag.sequence);
  const info = readInfo(reader);
  const signatureAlgorithm = readSignatureAlgorithm(reader);
  if (signatureAlgorithm === "weak" || signatureAlgorithm === "unknown") {
    throw new X509Error("signature-algorithm-unsupported", `CSR is signed with a ${signatureAlgorithm} algorithm`);
  }
  if (!fitsKey(signatureAlgorithm, info.publicKeyInfo)) {
    reader.fail(`signature algorithm ${signatureAlgorithm} does not fit the ${info.publicKeyInfo.kind} key`);
  }
  const signature = reader.bitString();
  reader.leave();
  reader.finish();
  const publicKey = importPublicKey(info.spki, "csr-malformed");
  const { tbs, spki, publicKeyInfo, hasCommonName, requestedSubjectAltNames } = info;
  return {
    der,
    tbs,
    spki,
    publicKey,
    publicKeyInfo,
    hasCommonName,
    signatureAlgorithm,
    signature,
    requestedSubjectAltNames,
  };
}

/**
 * Whether the CSR is signed by the key it holds, which proves that its maker possesses that key.
 * @example
 * ```ts
 * import { createCsr, generateKeyPair, parseCsr, verifyCsr } from "@signet/x509";
 * import { parseSpiffeId } from "@signet/spiffe";
 * const key = await generateKeyPair("P-256");
 * verifyCsr(parseCsr(createCsr({ key, spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/web") }))); // true
 * ```
 */
export function verifyCsr(csr: Csr): boolean {
  return verifyBytes(csr.signatureAlgorithm, { data: csr.tbs, signature: csr.signature }, csr.publicKey);
}

function decodePem(pem: string): Uint8Array {
  try {
    const block = nextPemBlock(pem, 0);
    if (block?.label === "CERTIFICATE REQUEST" || block?.label === "NEW CERTIFICATE REQUEST") {
      return block.der;
    }
  } catch (cause) {
    if (cause instanceof X509Error) {
      throw new X509Error("csr-malformed", `CSR is not PEM: ${cause.message}`, { cause });
    }
    throw cause;
  }
  throw new X509Error("csr-malformed", "first PEM block is missing or is not a certificate request");
}

interface CsrInfo {
  readonly tbs: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly hasCommonName: boolean;
  readonly requestedSubjectAltNames: readonly SubjectAltName[];
}

/** CertificationRequestInfo (RFC 2986 section 4.1). */
function readInfo(reader: DerReader): CsrInfo {
  const start = reader.position;
  reader.enter(tag.sequence);
  if (reader.smallInteger() !== 0) {
    reader.fail("version is not 0");
  }
  const hasCommonName = readCommonNamePresence(reader);
  const keyStart = reader.position;
  const publicKeyInfo = readSpki(reader);
  const spki = reader.since(keyStart);
  const requestedSubjectAltNames = readAttributes(reader);
  reader.leave();
  return { tbs: reader.since(start), spki, publicKeyInfo, hasCommonName, requestedSubjectAltNames };
}

function readAttributes(reader: DerReader): readonly SubjectAltName[] {
  reader.enter(contextConstructed(0));
  const names: SubjectAltName[] = [];
  while (!reader.atEnd) {
    reader.enter(tag.sequence);
    const type = reader.objectIdentifier(attributeTypes);
    reader.enter(tag.set);
    do {
      if (type === extensionRequest) {
        readRequestedExtensions(reader, names);
      } else {
        reader.any();
      }
    } while (!reader.atEnd);
    reader.leave();
    reader.leave();
  }
  reader.leave();
  return names;
}

function readRequestedExtensions(reader: DerReader, names: SubjectAltName[]): void {
  readExtensions(reader, (value, { id }) => {
    if (id !== extensionId.subjectAltName) {
      return false;
    }
    names.push(...readSubjectAltNames(value));
    return true;
  });
}
