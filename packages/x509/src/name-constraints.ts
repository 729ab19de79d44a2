import { asciiText } from "./ascii.ts";
import type { DerReader } from "./der/der-reader.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { canonicalRelativeNames, readName } from "./distinguished-name.ts";
import { dnsLabels } from "./dns-labels.ts";

/**
 * The base of a subtree of names (RFC 5280 section 4.2.1.10).
 *
 * `labels` are in lower case; with `subdomainsOnly` the constraint began with a period. Without labels a name of that
 * kind is never inside what is permitted and always inside what is excluded: RFC 5280 does not say what an empty
 * constraint means, and libraries differ. "other" is a base of a form, or in a form, that nobody can judge here.
 */
export type NameSubtree =
  | { readonly kind: "dns" | "uri"; readonly labels: readonly string[]; readonly subdomainsOnly: boolean }
  | { readonly kind: "ip"; readonly address: Uint8Array; readonly mask: Uint8Array }
  /** RDNs as `canonicalRelativeNames` writes them. */
  | { readonly kind: "directory"; readonly relativeNames: readonly string[] }
  /** `tag` is the number of the form in GeneralName. */
  | { readonly kind: "other"; readonly tag: number };

/** What the certificates below a CA may be called (RFC 5280 section 4.2.1.10). */
export interface NameConstraints {
  readonly critical: boolean;
  readonly permitted: readonly NameSubtree[];
  readonly excluded: readonly NameSubtree[];
}

/** Numbers of the forms of GeneralName that are judged. */
export const nameForm = { dns: 2, directory: 4, uri: 6, ip: 7 } as const;

const tagBits = 0x1f;

/** Reads NameConstraints; at least one of its lists must be there, and none may be empty. */
export function readNameConstraints(reader: DerReader, critical: boolean): NameConstraints {
  reader.enter(tag.sequence);
  const permitted = readSubtrees(reader, contextConstructed(0));
  const excluded = readSubtrees(reader, contextConstructed(1));
  reader.leave();
  if (permitted.length + excluded.length === 0) {
    reader.fail("name constraints are empty");
  }
  return { critical, permitted, excluded };
}

function readSubtrees(reader: DerReader, listTag: number): readonly NameSubtree[] {
  if (reader.nextTag !== listTag) {
    return [];
  }
  const subtrees: NameSubtree[] = [];
  reader.enter(listTag);
  do {
    reader.enter(tag.sequence);
    const base = readBase(reader);
    // RFC 5280 has no use for minimum and maximum: what they would mean for a form is nobody's guess.
    const isPlain = reader.atEnd;
    reader.leaveUnread();
    subtrees.push(isPlain ? base : { kind: "other", tag: formOf(base) });
  } while (!reader.atEnd);
  reader.leave();
  return subtrees;
}

function readBase(reader: DerReader): NameSubtree {
  const nameTag = reader.nextTag;
  switch (nameTag) {
    case contextPrimitive(nameForm.dns):
      return domainSubtree("dns", reader.content(nameTag));
    case contextPrimitive(nameForm.uri):
      return domainSubtree("uri", reader.content(nameTag));
    case contextPrimitive(nameForm.ip):
      return ipSubtree(reader.content(nameTag));
    case contextConstructed(nameForm.directory): {
      reader.enter(nameTag);
      const start = reader.position;
      readName(reader);
      const relativeNames = canonicalRelativeNames(reader.since(start));
      reader.leave();
      return { kind: "directory", relativeNames };
    }
    default:
      // GeneralName has the forms [0] to [8]; anything else is no name at all.
      if ((nameTag & 0xc0) !== 0x80 || (nameTag & tagBits) > 8) {
        reader.fail("base of a name constraint has an unknown form");
      }
      reader.any();
      return { kind: "other", tag: nameTag & tagBits };
  }
}

function domainSubtree(kind: "dns" | "uri", octets: Uint8Array): NameSubtree {
  const text = asciiText(octets);
  if (text === "") {
    return { kind, labels: [], subdomainsOnly: false };
  }
  const subdomainsOnly = text?.startsWith(".") ?? false;
  const labels = text === undefined ? undefined : dnsLabels(subdomainsOnly ? text.slice(1) : text);
  // A wildcard has no meaning in a constraint.
  return labels === undefined || labels.includes("*")
    ? { kind: "other", tag: nameForm[kind] }
    : { kind, labels, subdomainsOnly };
}

/** Address and mask, 4 or 16 octets each, the ones of the mask before its zeros. */
function ipSubtree(octets: Uint8Array): NameSubtree {
  const half = octets.length / 2;
  const mask = octets.subarray(half);
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, "0")).join("");
  return (half === 4 || half === 16) && /^1*0*$/.test(bits)
    ? { kind: "ip", address: octets.subarray(0, half), mask }
    : { kind: "other", tag: nameForm.ip };
}

/** Number of the form of a subtree. */
export function formOf(subtree: NameSubtree): number {
  return subtree.kind === "other" ? subtree.tag : nameForm[subtree.kind];
}
