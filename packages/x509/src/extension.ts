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

/** One extension on its way through `readExtensions`. */
export interface Extension {
  readonly id: ObjectIdentifier;
  readonly critical: boolean;
  /** Reader of the DER inside extnValue, to be read to its end or left alone. */
  readonly value: DerReader;
}

/** Reads Extensions and calls `visit` with each; an identifier that comes twice is refused (RFC 5280 section 4.2). */
export function readExtensions(reader: DerReader, visit: (extension: Extension) => void): void {
  const list = reader.enter(tag.sequence);
  const seen = new Set<string>();
  do {
    const extension = list.enter(tag.sequence);
    const id = extension.objectIdentifier(known);
    if (seen.has(id.dotted)) {
      extension.fail(`extension ${id.dotted} comes twice`);
    }
    seen.add(id.dotted);
    const critical = extension.nextTag === tag.boolean && extension.boolean();
    const value = extension.enterOctetString();
    extension.finish();
    visit({ id, critical, value });
  } while (!list.atEnd);
}

/** Returns an Extension; `critical` is written only if true, since DER leaves out defaults (X.690 section 11.5). */
export function extension(id: ObjectIdentifier, options: { critical: boolean }, value: DerValue): DerValue {
  const content = octetString(value);
  return options.critical ? sequence(id.der, criticalDer, content) : sequence(id.der, content);
}
