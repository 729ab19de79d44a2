import { asciiOctets } from "./ascii.ts";
import { DerReader } from "./der/der-reader.ts";
import { type DerValue, derNode, sequence } from "./der/der-writer.ts";
import { type ObjectIdentifier, objectIdentifier } from "./der/object-identifier.ts";
import { tag } from "./der/tag.ts";

const commonName = objectIdentifier("2.5.4.3");
const organization = objectIdentifier("2.5.4.10");

/** Short names of the attribute types people know (RFC 4519). */
const shortNames = new Map([
  [commonName, "CN"],
  [organization, "O"],
  [objectIdentifier("2.5.4.11"), "OU"],
  [objectIdentifier("2.5.4.6"), "C"],
  [objectIdentifier("2.5.4.7"), "L"],
  [objectIdentifier("2.5.4.8"), "ST"],
  [objectIdentifier("2.5.4.5"), "serialNumber"],
  [objectIdentifier("0.9.2342.19200300.100.1.25"), "DC"],
]);
const emailAddress = objectIdentifier("1.2.840.113549.1.9.1");
const knownTypes = [...shortNames.keys(), emailAddress];

interface NameAttribute {
  readonly type: ObjectIdentifier;
  readonly valueTag: number;
  /** Content octets. */
  readonly value: Uint8Array;
}

/** Called with each attribute of a name, and the number of the RDN it stands in. */
type AttributeVisitor = (attribute: NameAttribute, relativeName: number) => void;

/** Reads a Name (RFC 5280 section 4.1.2.4), checking its form. */
export function readName(reader: DerReader, visit?: AttributeVisitor): void {
  reader.enter(tag.sequence);
  for (let relativeName = 0; !reader.atEnd; relativeName++) {
    reader.enter(tag.set);
    do {
      readAttribute(reader, relativeName, visit);
    } while (!reader.atEnd);
    reader.leave();
  }
  reader.leave();
}

function readAttribute(reader: DerReader, relativeName: number, visit: AttributeVisitor | undefined): void {
  reader.enter(tag.sequence);
  const type = reader.objectIdentifier(knownTypes);
  const valueTag = reader.nextTag;
  if ((valueTag & 0xe0) !== 0) {
    reader.fail("value of a name attribute is not a string");
  }
  if (visit === undefined) {
    reader.pass(valueTag);
  } else {
    visit({ type, valueTag, value: reader.content(valueTag) }, relativeName);
  }
  reader.leave();
}

/** Reads a Name and returns whether it has a common name that is not empty. */
export function readCommonNamePresence(reader: DerReader): boolean {
  let found = false;
  readName(reader, ({ type, value }) => {
    found ||= type === commonName && value.length > 0;
  });
  return found;
}

/**
 * Returns a DER Name as people write it, in the order of the certificate: `O=cluster.local`; an empty one is "".
 *
 * Separators inside values are escaped and control characters replaced, so the text is safe to log; it is not meant to be
 * compared, compare the DER.
 * @throws X509Error `certificate-malformed`
 * @example
 * ```ts
 * import { describeName, parseCertificates } from "@signet/x509";
 * export function issuers(pem: string): string[] {
 *   return parseCertificates(pem).map((certificate) => describeName(certificate.issuer));
 * }
 * ```
 */
export function describeName(der: Uint8Array): string {
  const reader = new DerReader(der, "certificate-malformed");
  const relativeNames: string[] = [];
  readName(reader, (attribute, index) => {
    const before = relativeNames[index];
    relativeNames[index] = `${before === undefined ? "" : `${before}+`}${describeAttribute(attribute)}`;
  });
  reader.finish();
  return relativeNames.join(",");
}

function describeAttribute({ type, valueTag, value }: NameAttribute): string {
  const text = decodeString(valueTag, value).replace(/[,+"\\<>;=]/g, "\\$&");
  return `${shortNames.get(type) ?? type.dotted}=${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")}`;
}

function decodeString(valueTag: number, value: Uint8Array): string {
  const octets = Buffer.from(value);
  switch (valueTag) {
    case tag.utf8String:
      return octets.toString("utf8");
    case tag.printableString:
    case tag.ia5String:
    case tag.teletexString:
      return octets.toString("latin1");
    case tag.bmpString:
      return octets.length % 2 === 0 ? octets.swap16().toString("utf16le") : `#${octets.toString("hex")}`;
    default:
      return `#${octets.toString("hex")}`;
  }
}

/**
 * Returns the RDNs of a DER Name so that equal texts mean equal names (RFC 5280 section 7.1): letter case, the spaces
 * around and between words and the kind of string do not count, nor the order inside an RDN.
 * @throws X509Error `certificate-malformed`
 */
export function canonicalRelativeNames(der: Uint8Array): readonly string[] {
  const reader = new DerReader(der, "certificate-malformed");
  const relativeNames: string[][] = [];
  readName(reader, ({ type, valueTag, value }, index) => {
    const text = decodeString(valueTag, value).normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");
    relativeNames[index] = [...(relativeNames[index] ?? []), `${type.dotted}=${JSON.stringify(text)}`];
  });
  reader.finish();
  return relativeNames.map((attributes) => attributes.toSorted().join("+"));
}

/** Whether a DER Name has an attribute that is an e-mail address. */
export function hasEmailAddress(der: Uint8Array): boolean {
  const reader = new DerReader(der, "certificate-malformed");
  let found = false;
  readName(reader, ({ type }) => {
    found ||= type === emailAddress;
  });
  return found;
}

/** Returns the Name of no attributes. */
export function emptyName(): DerValue {
  return sequence();
}

/** Returns the Name of one common name. */
export function commonNameOnly(text: string): DerValue {
  return nameOf(commonName, text);
}

/** Returns the Name of one organization, which may be empty. */
export function organizationOnly(text: string): DerValue {
  return nameOf(organization, text);
}

function nameOf(type: ObjectIdentifier, text: string): DerValue {
  return sequence(derNode(tag.set, [sequence(type.der, directoryString(text))]));
}

/** PrintableString if the text fits one, else UTF8String, as Go chooses; "*" and "&" do not fit (X.680 section 41.4). */
function directoryString(text: string): DerValue {
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text) ? asciiOctets(text) : undefined;
  return printable === undefined
    ? derNode(tag.utf8String, [Buffer.from(text, "utf8")])
    : derNode(tag.printableString, [printable]);
}
