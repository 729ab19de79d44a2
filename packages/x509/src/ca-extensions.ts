import { createHash } from "node:crypto";
import { DerReader } from "./der/der-reader.ts";
import { type DerValue, derNode, encodeDer, sequence, unsignedInteger } from "./der/der-writer.ts";
import { contextPrimitive, tag } from "./der/tag.ts";
import { extension, extensionId } from "./extension.ts";

/** keyCertSign, the only thing that a root of ours does. */
export const caKeyUsage: Uint8Array = encodeDer(
  extension(extensionId.keyUsage, { critical: true }, Uint8Array.of(tag.bitString, 2, 2, 0x04)),
);

/** Returns critical basic constraints of a CA; an undefined path length is none (RFC 5280 section 4.2.1.9). */
export function caConstraints(pathLength: number | undefined): Uint8Array {
  const limit = pathLength === undefined ? [] : [unsignedInteger(Uint8Array.of(pathLength))];
  const constraints = sequence(Uint8Array.of(tag.boolean, 1, 0xff), ...limit);
  return encodeDer(extension(extensionId.basicConstraints, { critical: true }, constraints));
}

/** Returns the extension that names the key of a SubjectPublicKeyInfo. */
export function subjectKeyIdentifier(spki: Uint8Array): Uint8Array {
  const info = new DerReader(spki, "public-key-malformed");
  info.enter(tag.sequence);
  info.any();
  const identifier = createHash("sha256").update(info.bitString()).digest().subarray(0, 20);
  return encodeDer(
    extension(extensionId.subjectKeyIdentifier, { critical: false }, derNode(tag.octetString, [identifier])),
  );
}

/** Names the issuer's key only, as RFC 5280 section 4.2.1.1 recommends. */
export function authorityKeyIdentifier(keyIdentifier: Uint8Array): DerValue {
  const value = sequence(derNode(contextPrimitive(0), [keyIdentifier]));
  return extension(extensionId.authorityKeyIdentifier, { critical: false }, value);
}
