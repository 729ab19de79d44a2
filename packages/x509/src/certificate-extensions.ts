import type { DerReader } from "./der/der-reader.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { knownPurposes } from "./extended-key-usage.ts";
import { type ExtensionHead, extensionId, readExtensions } from "./extension.ts";
import { type KeyUsage, keyUsagesOf } from "./key-usage.ts";
import { type NameConstraints, readNameConstraints } from "./name-constraints.ts";
import { readSubjectAltNames, type SubjectAltName } from "./subject-alt-name.ts";

/** What the extensions of a certificate say. */
export interface CertificateExtensions {
  /** The cA flag of the basic constraints. */
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly hasBasicConstraints: boolean;
  readonly nameConstraints: NameConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly keyUsageCritical: boolean;
  /** Object identifiers in dotted form. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  readonly subjectAltNames: readonly SubjectAltName[];
  readonly subjectAltNameCritical: boolean;
  /** Object identifiers, in dotted form, of critical extensions that are not evaluated. */
  readonly unknownCriticalExtensions: readonly string[];
}

type Draft = { -readonly [Field in keyof CertificateExtensions]: CertificateExtensions[Field] };

/** Returns what a certificate without extensions says. */
export function noExtensions(): Draft {
  return {
    isCa: false,
    pathLength: undefined,
    hasBasicConstraints: false,
    nameConstraints: undefined,
    keyUsage: undefined,
    keyUsageCritical: false,
    extendedKeyUsage: undefined,
    subjectKeyIdentifier: undefined,
    authorityKeyIdentifier: undefined,
    subjectAltNames: [],
    subjectAltNameCritical: false,
    unknownCriticalExtensions: [],
  };
}

/** Reads Extensions (RFC 5280 section 4.1.2.9). */
export function readCertificateExtensions(reader: DerReader): CertificateExtensions {
  const draft = noExtensions();
  const unknownCritical: string[] = [];
  readExtensions(reader, (value, extension) => {
    const isKnown = readKnown(draft, extension, value);
    if (!isKnown && extension.critical) {
      unknownCritical.push(extension.id.dotted);
    }
    return isKnown;
  });
  draft.unknownCriticalExtensions = unknownCritical;
  return draft;
}

/** Reads the value of an extension this package evaluates; false if it does not. */
function readKnown(draft: Draft, { id, critical }: ExtensionHead, value: DerReader): boolean {
  switch (id) {
    case extensionId.basicConstraints:
      readBasicConstraints(draft, value);
      return true;
    case extensionId.keyUsage:
      draft.keyUsage = readKeyUsage(value);
      draft.keyUsageCritical = critical;
      return true;
    case extensionId.extendedKeyUsage:
      draft.extendedKeyUsage = readExtendedKeyUsage(value);
      return true;
    case extensionId.subjectKeyIdentifier:
      draft.subjectKeyIdentifier = value.content(tag.octetString);
      return true;
    case extensionId.authorityKeyIdentifier:
      draft.authorityKeyIdentifier = readAuthorityKeyIdentifier(value);
      return true;
    case extensionId.subjectAltName:
      draft.subjectAltNames = readSubjectAltNames(value);
      draft.subjectAltNameCritical = critical;
      return true;
    case extensionId.nameConstraints:
      draft.nameConstraints = readNameConstraints(value, critical);
      return true;
    default:
      return false;
  }
}

/** RFC 5280 section 4.2.1.9. */
function readBasicConstraints(draft: Draft, value: DerReader): void {
  value.enter(tag.sequence);
  draft.hasBasicConstraints = true;
  draft.isCa = value.nextTag === tag.boolean && value.boolean();
  draft.pathLength = value.atEnd ? undefined : value.smallInteger();
  value.leave();
}

/** RFC 5280 section 4.2.1.3: at least one bit is set. */
function readKeyUsage(value: DerReader): ReadonlySet<KeyUsage> {
  const bits = value.namedBits();
  if (bits === 0) {
    value.fail("key usage is empty");
  }
  return keyUsagesOf(bits);
}

/** RFC 5280 section 4.2.1.12. */
function readExtendedKeyUsage(value: DerReader): readonly string[] {
  value.enter(tag.sequence);
  const found: string[] = [];
  do {
    found.push(value.objectIdentifier(knownPurposes).dotted);
  } while (!value.atEnd);
  value.leave();
  return found;
}

/** RFC 5280 section 4.2.1.1: only the key identifier is of use here. */
function readAuthorityKeyIdentifier(value: DerReader): Uint8Array | undefined {
  value.enter(tag.sequence);
  const keyIdentifier = value.nextTag === contextPrimitive(0) ? value.content(contextPrimitive(0)) : undefined;
  if (value.nextTag === contextConstructed(1)) {
    value.any();
  }
  if (value.nextTag === contextPrimitive(2)) {
    value.any();
  }
  value.leave();
  return keyIdentifier;
}
