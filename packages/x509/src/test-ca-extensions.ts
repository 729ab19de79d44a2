import { authorityKeyIdentifier, caConstraints, caKeyUsage, subjectKeyIdentifier } from "./ca-extensions.ts";
import { type DerValue, derNode, encodeDer, sequence } from "./der/der-writer.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { extension, extensionId } from "./extension.ts";

/** One base of a subtree (RFC 5280 section 4.2.1.10), written as it stands, well-formed or not. */
export type TestSubtree =
  | { readonly kind: "dns" | "uri" | "email"; readonly value: string }
  /** Address and mask in hexadecimal digits. */
  | { readonly kind: "ip"; readonly hex: string }
  /** DER Name. */
  | { readonly kind: "directory"; readonly name: Uint8Array }
  /** DER of the whole GeneralSubtree. */
  | { readonly kind: "raw"; readonly der: DerValue };

/** Name constraints of a CA for tests; critical unless said otherwise. */
export interface TestNameConstraints {
  readonly permitted?: readonly TestSubtree[];
  readonly excluded?: readonly TestSubtree[];
  readonly critical?: boolean;
}

/** What a CA for tests may be allowed or forbidden besides signing certificates. */
export interface TestCaRights {
  readonly signsRevocationLists?: boolean;
  readonly nameConstraints?: TestNameConstraints;
}

const primitiveTags = { email: contextPrimitive(1), dns: contextPrimitive(2), uri: contextPrimitive(6) } as const;

/** keyCertSign and cRLSign. */
const revokingKeyUsage: DerValue = extension(
  extensionId.keyUsage,
  { critical: true },
  Uint8Array.of(tag.bitString, 2, 1, 0x06),
);

/** Returns the extensions of a CA with these rights. */
export function testCaExtensions(
  options: TestCaRights & {
    readonly spki: Uint8Array;
    readonly pathLength?: number | undefined;
    readonly issuerKeyIdentifier?: Uint8Array | undefined;
  },
): readonly DerValue[] {
  const { spki, pathLength, issuerKeyIdentifier, signsRevocationLists, nameConstraints } = options;
  return [
    signsRevocationLists ? revokingKeyUsage : caKeyUsage,
    caConstraints(pathLength),
    subjectKeyIdentifier(spki),
    ...(issuerKeyIdentifier === undefined ? [] : [authorityKeyIdentifier(issuerKeyIdentifier)]),
    ...(nameConstraints === undefined ? [] : [testNameConstraints(nameConstraints)]),
  ];
}

/** Returns a name constraints extension. */
export function testNameConstraints({ permitted, excluded, critical = true }: TestNameConstraints): DerValue {
  const parts = [permitted, excluded].flatMap((subtrees, index) =>
    subtrees === undefined ? [] : [derNode(contextConstructed(index), subtrees.map(subtreeOf))],
  );
  return extension(extensionId.nameConstraints, { critical }, sequence(...parts));
}

function subtreeOf(subtree: TestSubtree): DerValue {
  switch (subtree.kind) {
    case "raw":
      return subtree.der;
    case "ip":
      return sequence(derNode(contextPrimitive(7), [Uint8Array.fromHex(subtree.hex)]));
    case "directory":
      return sequence(derNode(contextConstructed(4), [subtree.name]));
    default:
      return sequence(derNode(primitiveTags[subtree.kind], [Buffer.from(subtree.value, "latin1")]));
  }
}

/** Returns the DER of a GeneralSubtree for a DNS name with a minimum of 1, which RFC 5280 forbids. */
export function subtreeWithMinimum(value: string): Uint8Array {
  const base = derNode(primitiveTags.dns, [Buffer.from(value, "latin1")]);
  return encodeDer(sequence(base, derNode(contextPrimitive(0), [Uint8Array.of(1)])));
}
