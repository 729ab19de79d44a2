import { type CertificateExtensions, noExtensions, readCertificateExtensions } from "./certificate-extensions.ts";
import type { DerReader } from "./der/der-reader.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { readName } from "./distinguished-name.ts";
import { type PublicKeyInfo, readSpki } from "./public-key.ts";
import { readSignatureAlgorithm } from "./signature-algorithm.ts";

/** Octets of the longest serial number (RFC 5280 section 4.1.2.2). */
const maxSerialNumberBytes = 20;

/** What the signature of a certificate covers; `Certificate` describes the fields. */
export interface CertificateBody {
  readonly tbs: Uint8Array;
  readonly serialNumber: bigint;
  /** AlgorithmIdentifier. */
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly extensions: CertificateExtensions;
}

/** Reads a TBSCertificate (RFC 5280 section 4.1). */
export function readCertificateBody(reader: DerReader): CertificateBody {
  const start = reader.position;
  reader.enter(tag.sequence);
  const version = readVersion(reader);
  const serialNumber = BigInt(`0x${reader.unsignedInteger(maxSerialNumberBytes).toHex()}`);
  const algorithmStart = reader.position;
  readSignatureAlgorithm(reader);
  const algorithm = reader.since(algorithmStart);
  const issuer = readNameElement(reader);
  reader.enter(tag.sequence);
  const notBefore = new Date(reader.time());
  const notAfter = new Date(reader.time());
  reader.leave();
  const subject = readNameElement(reader);
  const keyStart = reader.position;
  const publicKeyInfo = readSpki(reader);
  const spki = reader.since(keyStart);
  const extensions = readOptionalParts(reader, version);
  reader.leave();
  const tbs = reader.since(start);
  return {
    tbs,
    serialNumber,
    algorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    spki,
    publicKeyInfo,
    extensions,
  };
}

/** Reads a Name and returns its bytes. */
function readNameElement(reader: DerReader): Uint8Array {
  const start = reader.position;
  readName(reader);
  return reader.since(start);
}

function readVersion(reader: DerReader): number {
  if (reader.nextTag !== contextConstructed(0)) {
    return 1;
  }
  reader.enter(contextConstructed(0));
  const version = reader.smallInteger() + 1;
  reader.leave();
  if (version > 3) {
    reader.fail(`version ${version} is unknown`);
  }
  return version;
}

/** Unique identifiers, which nobody uses, and extensions, which version 3 brought (RFC 5280 section 4.1). */
function readOptionalParts(reader: DerReader, version: number): CertificateExtensions {
  if (version > 1 && reader.nextTag === contextPrimitive(1)) {
    reader.any();
  }
  if (version > 1 && reader.nextTag === contextPrimitive(2)) {
    reader.any();
  }
  if (version < 3 || reader.atEnd) {
    return noExtensions();
  }
  reader.enter(contextConstructed(3));
  const extensions = readCertificateExtensions(reader);
  reader.leave();
  return extensions;
}
