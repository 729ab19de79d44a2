import type { DerReader } from "./der/der-reader.ts";
import { type DerValue, octetString, sequence } from "./der/der-writer.ts";
import { type ObjectIdentifier, objectIdentifier } from "./der/object-identifier.ts";
import { tag } from "./der/tag.ts";

type ExtensionName =
  | "subjectKeyIdentifier"
  | "keyUsage"
  | "subjectAltName"
  | "basicConstraints"
  | "nameConstraints"
  | "authorityKeyIdentifier"
  | "extendedKeyUsage";

/** The extensions that this package gives a meaning to (RFC 5280 section 4.2.1). */
export const extensionId: Readonly<Record<ExtensionName, ObjectIdentifier>> = {
  subjectKeyIdentifier: objectIdentifier("2.5.29.14"),
  keyUsage: objectIdentifier("2.5.29.15"),
  subjectAltName: objectIdentifier("2.5.29.17"),
  basicConstraints: objectIdentifier("2.5.29.19"),
  nameConstraints: objectIdentifier("2.5.29.30"),
  authorityKeyIdentifier: objectIdentifier("2.5.29.35"),
  extendedKeyUsage: objectIdentifier("2.5.29.37"),
};

const known = Object.values(extensionId);
const criticalDer = Uint8Array.of(tag.boolean, 1, 0xff);

/** Most extensions in one certificate or CSR; public ones have about a dozen. */
const maxExtensions = 64;

/** What comes before the value of an extension. */
export interface ExtensionHead {
  readonly id: ObjectIdentifier;
  readonly critical: boolean;
}

/**
 * Reads Extensions. `readValue` is called with each, the reader inside extnValue; it returns false to pass over a value,
 * and otherwise has to read all of it. An identifier that comes twice is refused (RFC 5280 section 4.2).
 */
export function readExtensions(
  reader: DerReader,
  readValue: (reader: DerReader, extension: ExtensionHead) => boolean,
): void {
  reader.enter(tag.sequence);
  const seen: ObjectIdentifier[] = [];
  do {
    reader.enter(tag.sequence);
    const id = reader.objectIdentifier(known);
    if (seen.length === maxExtensions || includes(seen, id)) {
      reader.fail(`extension ${id.dotted} comes twice, or exceeds ${maxExtensions} extensions`);
    }
    seen.push(id);
    const critical = reader.nextTag === tag.boolean && reader.boolean();
    reader.enter(tag.octetString);
    if (readValue(reader, { id, critical })) {
      reader.leave();
    } else {
      reader.leaveUnread();
    }
    reader.leave();
  } while (!reader.atEnd);
  reader.leave();
}

function includes(seen: readonly ObjectIdentifier[], id: ObjectIdentifier): boolean {
  for (const other of seen) {
    if (other.dotted === id.dotted) {
      return true;
    }
  }
  return false;
}

/** Returns an Extension; `critical` is written only if true, since DER leaves out defaults (X.690 section 11.5). */
export function extension(id: ObjectIdentifier, options: { critical: boolean }, value: DerValue): DerValue {
  const content = octetString(value);
  return options.critical ? sequence(id.der, criticalDer, content) : sequence(id.der, content);
}
