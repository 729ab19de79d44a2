import { asciiOctets, asciiText } from "./ascii.ts";
import type { DerReader } from "./der/der-reader.ts";
import { type DerValue, derNode, sequence } from "./der/der-writer.ts";
import { contextPrimitive, tag } from "./der/tag.ts";
import { X509Error } from "./errors.ts";
import { ipAddressText, parseIpAddress } from "./ip-address.ts";

/**
 * One subject alternative name (RFC 5280 section 4.2.1.6); structured, never joined into a text and split again.
 *
 * The value of an IP name is its canonical text (RFC 5952). "other" stands for every form that this package gives no
 * meaning to, such as an e-mail address; `tag` is the number of the form, `der` the whole element.
 */
export type SubjectAltName =
  | { readonly kind: "uri" | "dns"; readonly value: string }
  | { readonly kind: "ip"; readonly value: string }
  | { readonly kind: "other"; readonly tag: number; readonly der: Uint8Array };

const dnsTag = contextPrimitive(2);
const uriTag = contextPrimitive(6);
const ipTag = contextPrimitive(7);

/** Reads GeneralNames, which hold at least one name. */
export function readSubjectAltNames(reader: DerReader): SubjectAltName[] {
  reader.enter(tag.sequence);
  const names: SubjectAltName[] = [];
  do {
    names.push(readName(reader));
  } while (!reader.atEnd);
  reader.leave();
  return names;
}

function readName(reader: DerReader): SubjectAltName {
  const nameTag = reader.nextTag;
  switch (nameTag) {
    case uriTag:
    case dnsTag: {
      const value = asciiText(reader.content(nameTag));
      if (value === undefined) {
        reader.fail("subject alternative name is not ASCII");
      }
      return { kind: nameTag === uriTag ? "uri" : "dns", value };
    }
    case ipTag: {
      const octets = reader.content(ipTag);
      const value = ipAddressText(octets);
      if (value === undefined) {
        reader.fail(`IP address of ${octets.length} bytes is neither 4 nor 16 bytes long`);
      }
      return { kind: "ip", value };
    }
    default:
      // GeneralName has the forms [0] to [8]; anything else is no name at all.
      if ((nameTag & 0xc0) !== 0x80 || (nameTag & 0x1f) > 8) {
        reader.fail("subject alternative name has an unknown form");
      }
      return { kind: "other", tag: nameTag & 0x1f, der: reader.any() };
  }
}

/**
 * Returns GeneralNames of `names`, in their order.
 * @throws X509Error `template-invalid` if there is none, or one is empty, not ASCII, no IP address or of another kind
 */
export function subjectAltNames(names: readonly SubjectAltName[]): DerValue {
  if (names.length === 0) {
    throw new X509Error("template-invalid", "template has no subject alternative name");
  }
  return sequence(...names.map(generalName));
}

function generalName(name: SubjectAltName): DerValue {
  if (name.kind === "other") {
    throw new X509Error("template-invalid", `subject alternative names of form ${name.tag} are never signed`);
  }
  const octets = name.kind === "ip" ? parseIpAddress(name.value) : asciiOctets(name.value);
  if (octets === undefined || octets.length === 0) {
    throw new X509Error("template-invalid", `${JSON.stringify(name.value)} cannot be written as a ${name.kind} name`);
  }
  return derNode(name.kind === "uri" ? uriTag : name.kind === "dns" ? dnsTag : ipTag, [octets]);
}
