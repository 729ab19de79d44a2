import { DerReader } from "./der/der-reader.ts";
import { contextConstructed } from "./der/tag.ts";
import { canonicalRelativeNames, describeName, hasEmailAddress, readName } from "./distinguished-name.ts";
import { dnsLabels } from "./dns-labels.ts";
import { X509Error } from "./errors.ts";
import { parseIpAddress } from "./ip-address.ts";
import { nameForm } from "./name-constraints.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";

/** A name as name constraints look at it; `form` is its number in GeneralName, `text` is for messages. */
export type ConstrainedName = { readonly form: number; readonly text: string } & (
  | { readonly kind: "dns" | "uri"; readonly labels: readonly string[] }
  | { readonly kind: "ip"; readonly octets: Uint8Array }
  | { readonly kind: "directory"; readonly relativeNames: readonly string[] }
  /** Of a form that is judged, and not a name of that form, or one that means different things to different readers. */
  | { readonly kind: "malformed" }
  /** Of a form that is not judged. */
  | { readonly kind: "other" }
);

/** What bears names: a certificate, or one that is to be signed. */
export interface Named {
  /** DER Name. */
  readonly subject: Uint8Array;
  readonly subjectAltNames: readonly SubjectAltName[];
}

const emailForm = 1;

/** Most of a name that a message quotes. */
const maxQuotedCharacters = 200;

/** Returns every name of `named`: its alternative names, its subject unless empty, and an e-mail address in that. */
export function constrainedNames({ subject, subjectAltNames }: Named): readonly ConstrainedName[] {
  const names = subjectAltNames.map(alternativeName);
  if (subject.length > 2) {
    names.push(directoryName(subject));
    // RFC 5280 section 4.2.1.10: constraints on e-mail addresses hold for those in the subject, too.
    if (hasEmailAddress(subject)) {
      names.push(otherName(emailForm));
    }
  }
  return names;
}

function alternativeName(name: SubjectAltName): ConstrainedName {
  switch (name.kind) {
    case "dns":
      return domainName("dns", name.value, wildcardLabels(name.value));
    case "uri":
      return domainName("uri", name.value, hostLabels(name.value));
    case "ip": {
      const octets = parseIpAddress(name.value);
      const text = `IP address ${name.value}`;
      const form = nameForm.ip;
      // An IPv4 address in the guise of IPv6 is one or the other, as the reader likes.
      const isMapped = octets?.length === 4 && name.value.includes(":");
      return octets === undefined || isMapped ? { kind: "malformed", form, text } : { kind: "ip", form, text, octets };
    }
    case "other":
      return name.tag === nameForm.directory ? directoryAlternative(name.der) : otherName(name.tag);
  }
}

function domainName(kind: "dns" | "uri", value: string, labels: readonly string[] | undefined): ConstrainedName {
  const text = `${kind === "dns" ? "DNS name" : "URI"} ${JSON.stringify(value.slice(0, maxQuotedCharacters))}`;
  const form = nameForm[kind];
  return labels === undefined ? { kind: "malformed", form, text } : { kind, form, text, labels };
}

/** Labels of a DNS name whose first may be "*". */
function wildcardLabels(value: string): readonly string[] | undefined {
  const labels = dnsLabels(value);
  return labels?.includes("*", 1) ? undefined : labels;
}

/** `scheme://host[:port]`, and then a path, a query, a fragment or nothing (RFC 3986 section 3); no user information. */
const uriForm = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@:]*)(?::[0-9]*)?(?:[/?#]|$)/i;

/**
 * Labels of the host of a URI, or undefined if there is none or it is no domain name (RFC 5280 section 4.2.1.10 has it
 * refused): an IP address, a percent-encoded name, an empty one.
 */
function hostLabels(value: string): readonly string[] | undefined {
  const host = uriForm.exec(value)?.[1] ?? "";
  const labels = parseIpAddress(host) === undefined ? dnsLabels(host) : undefined;
  return labels?.includes("*") ? undefined : labels;
}

function directoryName(name: Uint8Array): ConstrainedName {
  const form = nameForm.directory;
  const text = `the name ${describeName(name).slice(0, maxQuotedCharacters) || "of no attributes"}`;
  return { kind: "directory", form, text, relativeNames: canonicalRelativeNames(name) };
}

function directoryAlternative(der: Uint8Array): ConstrainedName {
  try {
    return directoryName(insideOf(der));
  } catch (error) {
    if (!(error instanceof X509Error)) {
      throw error;
    }
    return { kind: "malformed", form: nameForm.directory, text: "a directory name" };
  }
}

function otherName(form: number): ConstrainedName {
  return { kind: "other", form, text: `a name of form ${form}` };
}

/** The Name inside a GeneralName of the form directoryName, which is tagged explicitly. */
function insideOf(der: Uint8Array): Uint8Array {
  const reader = new DerReader(der, "certificate-malformed");
  reader.enter(contextConstructed(nameForm.directory));
  const start = reader.position;
  readName(reader);
  const name = reader.since(start);
  reader.leave();
  reader.finish();
  return name;
}
