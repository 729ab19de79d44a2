import type { Certificate } from "./certificate.ts";
import { bitString, type DerValue, derNode, encodeDer, sequence, unsignedInteger } from "./der/der-writer.ts";
import { contextConstructed, tag } from "./der/tag.ts";
import type { KeyPair } from "./key-pair.ts";
import { encodePem } from "./pem.ts";
import { algorithmIdentifier, signBytes, signingAlgorithmOf } from "./signature-algorithm.ts";

/** What a revocation list for tests says. */
export interface TestRevocationListOptions {
  readonly thisUpdate?: Date;
  /** Null leaves it out. */
  readonly nextUpdate?: Date | null;
  /** Serial numbers. */
  readonly revoked?: readonly number[];
  /** Signs in the place of the issuer. */
  readonly signer?: KeyPair;
  /** Extensions of the list. */
  readonly extensions?: readonly DerValue[];
  /** Extensions of every entry. */
  readonly entryExtensions?: readonly DerValue[];
  /** 1 is version 2; by default written, and left out for a list of version 1. */
  readonly version?: number | null;
}

/**
 * Returns the PEM of a certificate revocation list that `issuer` has signed, by default valid from 2020 to 2045.
 * @example
 * ```ts
 * import { testRevocationList, testRoot } from "@signet/x509/testing";
 * const root = await testRoot({ signsRevocationLists: true });
 * const crlPem = testRevocationList(root, { revoked: [1, 2] });
 * ```
 */
export function testRevocationList(
  issuer: { readonly certificate: Certificate; readonly key: KeyPair },
  options: TestRevocationListOptions = {},
): string {
  const signer = options.signer ?? issuer.key;
  const algorithm = signingAlgorithmOf(signer.info);
  const version = options.version === undefined ? 1 : options.version;
  const nextUpdate = options.nextUpdate === undefined ? new Date("2045-01-01T00:00:00Z") : options.nextUpdate;
  const entries = (options.revoked ?? []).map((serial) => entryOf(serial, options.entryExtensions ?? []));
  const body = encodeDer(
    sequence(
      ...(version === null ? [] : [unsignedInteger(Uint8Array.of(version))]),
      algorithmIdentifier(algorithm),
      issuer.certificate.subject,
      timeOf(options.thisUpdate ?? new Date("2020-01-01T00:00:00Z")),
      ...(nextUpdate === null ? [] : [timeOf(nextUpdate)]),
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
      ...(options.extensions === undefined ? [] : [derNode(contextConstructed(0), [sequence(...options.extensions)])]),
    ),
  );
  const signature = signBytes(algorithm, signer.privateKey, body);
  return encodePem("X509 CRL", encodeDer(sequence(body, algorithmIdentifier(algorithm), bitString(signature))));
}

function entryOf(serial: number, extensions: readonly DerValue[]): DerValue {
  const octets = Uint8Array.of(serial >>> 24, serial >>> 16, serial >>> 8, serial);
  const more = extensions.length === 0 ? [] : [sequence(...extensions)];
  return sequence(unsignedInteger(octets), timeOf(new Date("2021-01-01T00:00:00Z")), ...more);
}

/** UTCTime, through 2049. */
function timeOf(instant: Date): DerValue {
  const digits = instant.toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return derNode(tag.utcTime, [Buffer.from(`${digits}Z`, "latin1")]);
}
