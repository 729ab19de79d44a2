import { bytesEqual } from "./bytes.ts";
import { DerReader } from "./der/der-reader.ts";
import { contextConstructed, tag } from "./der/tag.ts";
import { readName } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import { readExtensions } from "./extension.ts";
import { parsePem } from "./pem.ts";
import { readSignatureAlgorithm, type SignatureAlgorithm } from "./signature-algorithm.ts";

/** Largest revocation list, in bytes of DER; about 80,000 entries. */
export const maxRevocationListBytes: number = 3 * 1024 * 1024;

/** Most lists in one text. */
export const maxRevocationLists = 64;

/** A parsed certificate revocation list (RFC 5280 section 5.1). Parsing checks form only; see `verifyRevocationList`. */
export interface RevocationList {
  readonly der: Uint8Array;
  /** The TBSCertList, which the signature covers. */
  readonly tbs: Uint8Array;
  /** DER Name. */
  readonly issuer: Uint8Array;
  readonly thisUpdate: Date;
  /** By when there is a newer list; RFC 5280 wants it, and some leave it out. */
  readonly nextUpdate: Date | undefined;
  readonly revokedCount: number;
  /** "weak" stands for MD5 and SHA-1, "unknown" for whatever else is not verified. */
  readonly signatureAlgorithm: SignatureAlgorithm | "weak" | "unknown";
  readonly signature: Uint8Array;
  /** Object identifiers, in dotted form, of critical extensions that change what the list says, of the list or an entry. */
  readonly unknownCriticalExtensions: readonly string[];
}

/** Read or harmless where critical: what names the list, its number and its scope (RFC 5280 section 5.2). */
const knownListExtensions: ReadonlySet<string> = new Set(["2.5.29.35", "2.5.29.20", "2.5.29.28"]);
/** Reason, hold instruction and date of one entry (RFC 5280 section 5.3). */
const knownEntryExtensions: ReadonlySet<string> = new Set(["2.5.29.21", "2.5.29.23", "2.5.29.24"]);

/** Most object identifiers kept of extensions that are not known: one is enough to refuse the list. */
const maxUnknownKept = 8;

/**
 * Returns the certificate revocation list in `der`, which it keeps: the bytes must not be changed afterwards.
 *
 * Strict DER, at most 3 MiB. Entries are counted and their form is checked; what they revoke is for TLS libraries.
 * @throws X509Error `revocation-list-malformed`
 * @example
 * ```ts
 * import { parsePem, parseRevocationList } from "@signet/x509";
 * export function staleAt(pem: string): (Date | undefined)[] {
 *   return parsePem(pem, "X509 CRL").map((der) => parseRevocationList(der).nextUpdate);
 * }
 * ```
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  if (der.length > maxRevocationListBytes) {
    const message = `revocation list of ${der.length} bytes exceeds ${maxRevocationListBytes}`;
    throw new X509Error("revocation-list-malformed", message);
  }
  const reader = new DerReader(der, "revocation-list-malformed");
  reader.enter(tag.sequence);
  const start = reader.position;
  const body = readBody(reader);
  const tbs = reader.since(start);
  const algorithmStart = reader.position;
  const signatureAlgorithm = readSignatureAlgorithm(reader);
  // RFC 5280 section 5.1.1.2: the same algorithm as in the signed part.
  if (!bytesEqual(reader.since(algorithmStart), body.algorithm)) {
    reader.fail("signature algorithm differs from the one that is signed");
  }
  const signature = reader.bitString();
  reader.leave();
  reader.finish();
  const { issuer, thisUpdate, nextUpdate, revokedCount, unknownCriticalExtensions } = body;
  return {
    der,
    tbs,
    issuer,
    thisUpdate,
    nextUpdate,
    revokedCount,
    signatureAlgorithm,
    signature,
    unknownCriticalExtensions,
  };
}

/**
 * Returns the revocation lists of a PEM text, in order; every block is an `X509 CRL`, and there are at most 64.
 * @throws X509Error `pem-malformed` if there is no block, one is broken or has another label; `pem-too-large`,
 *   `revocation-list-malformed`
 * @example
 * ```ts
 * import { parseRevocationLists } from "@signet/x509";
 * export function revokedCount(pem: string): number {
 *   return parseRevocationLists(pem).reduce((sum, list) => sum + list.revokedCount, 0);
 * }
 * ```
 */
export function parseRevocationLists(pem: string): readonly RevocationList[] {
  const blocks = parsePem(pem, "X509 CRL");
  if (blocks.length > maxRevocationLists) {
    const message = `text of ${blocks.length} revocation lists exceeds ${maxRevocationLists}`;
    throw new X509Error("revocation-list-malformed", message);
  }
  return blocks.map(parseRevocationList);
}

type Body = Pick<
  RevocationList,
  "issuer" | "thisUpdate" | "nextUpdate" | "revokedCount" | "unknownCriticalExtensions"
> & { readonly algorithm: Uint8Array };

/** TBSCertList (RFC 5280 section 5.1.2). */
function readBody(reader: DerReader): Body {
  reader.enter(tag.sequence);
  if (reader.nextTag === tag.integer && reader.smallInteger() !== 1) {
    reader.fail("revocation list is not of version 2");
  }
  const algorithmStart = reader.position;
  readSignatureAlgorithm(reader);
  const algorithm = reader.since(algorithmStart);
  const issuerStart = reader.position;
  readName(reader);
  const issuer = reader.since(issuerStart);
  const thisUpdate = new Date(reader.time());
  const nextUpdate = isTime(reader.nextTag) ? new Date(reader.time()) : undefined;
  const unknown = new Set<string>();
  const revokedCount = reader.nextTag === tag.sequence ? readEntries(reader, unknown) : 0;
  if (!reader.atEnd) {
    reader.enter(contextConstructed(0));
    readCritical(reader, knownListExtensions, unknown);
    reader.leave();
  }
  reader.leave();
  return {
    algorithm,
    issuer,
    thisUpdate,
    nextUpdate,
    revokedCount,
    unknownCriticalExtensions: [...unknown],
  };
}

function isTime(nextTag: number): boolean {
  return nextTag === tag.utcTime || nextTag === tag.generalizedTime;
}

/** Returns how many there are; an empty list of entries should have been left out, and is harmless. */
function readEntries(reader: DerReader, unknown: Set<string>): number {
  reader.enter(tag.sequence);
  let count = 0;
  while (!reader.atEnd) {
    reader.enter(tag.sequence);
    reader.pass(tag.integer);
    reader.time();
    if (!reader.atEnd) {
      readCritical(reader, knownEntryExtensions, unknown);
    }
    reader.leave();
    count++;
  }
  reader.leave();
  return count;
}

function readCritical(reader: DerReader, known: ReadonlySet<string>, unknown: Set<string>): void {
  readExtensions(reader, (_value, { id, critical }) => {
    if (critical && !known.has(id.dotted) && unknown.size < maxUnknownKept) {
      unknown.add(id.dotted);
    }
    return false;
  });
}
