import { bitString, type DerValue, derNode, encodeDer, sequence } from "./der/der-writer.ts";
import { contextConstructed, tag } from "./der/tag.ts";
import { encodeValidity } from "./der/time.ts";
import { X509Error } from "./errors.ts";
import type { KeyPair } from "./key-pair.ts";
import { serialNumberInteger } from "./serial-number.ts";
import {
  algorithmIdentifier,
  type SignatureAlgorithm,
  signBytes,
  signBytesAsync,
  signingAlgorithmOf,
} from "./signature-algorithm.ts";

/** The variable parts of a certificate of version 3. */
export interface CertificateContent {
  /** Unsigned octets. */
  readonly serialNumber: Uint8Array;
  readonly issuer: DerValue;
  readonly subject: DerValue;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spki: Uint8Array;
  readonly extensions: readonly DerValue[];
}

const version3 = Uint8Array.of(contextConstructed(0), 3, tag.integer, 1, 2);

/** Latest instant that a GeneralizedTime can spell. */
const lastInstant = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Returns the DER of `content` signed by `key`; blocks until it is made. */
export function buildCertificate(content: CertificateContent, key: KeyPair): Uint8Array {
  const algorithm = signingAlgorithmOf(key.info);
  const body = encodeBody(content, algorithm);
  return assemble(body, algorithm, signBytes(algorithm, key.privateKey, body));
}

/** Returns the DER of `content` signed by `key` on the thread pool. */
export async function buildCertificateAsync(content: CertificateContent, key: KeyPair): Promise<Uint8Array> {
  const algorithm = signingAlgorithmOf(key.info);
  const body = encodeBody(content, algorithm);
  return assemble(body, algorithm, await signBytesAsync(algorithm, key.privateKey, body));
}

/** TBSCertificate (RFC 5280 section 4.1). */
function encodeBody(content: CertificateContent, algorithm: SignatureAlgorithm): Uint8Array {
  checkValidity(content);
  return encodeDer(
    sequence(
      version3,
      serialNumberInteger(content.serialNumber),
      algorithmIdentifier(algorithm),
      content.issuer,
      encodeValidity(content.notBefore, content.notAfter),
      content.subject,
      content.spki,
      derNode(contextConstructed(3), [sequence(...content.extensions)]),
    ),
  );
}

function assemble(body: Uint8Array, algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  return encodeDer(sequence(body, algorithmIdentifier(algorithm), bitString(signature)));
}

function checkValidity({ notBefore, notAfter }: CertificateContent): void {
  const [from, to] = [notBefore.getTime(), notAfter.getTime()];
  // Written so that an invalid date fails too.
  if (!(from >= 0 && from <= to && to <= lastInstant)) {
    throw new X509Error("template-invalid", "validity does not run forward between the years 1970 and 9999");
  }
}
