import { type KeyObject, sign, verify } from "node:crypto";
import type { DerReader } from "./der/der-reader.ts";
import { encodeDer, sequence } from "./der/der-writer.ts";
import { type ObjectIdentifier, objectIdentifier } from "./der/object-identifier.ts";
import { tag } from "./der/tag.ts";
import type { PublicKeyInfo } from "./public-key.ts";

/** The signature algorithms this package signs with and verifies. */
export type SignatureAlgorithm =
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-sha512"
  | "ed25519";

interface Algorithm {
  readonly name: SignatureAlgorithm;
  readonly keyKind: PublicKeyInfo["kind"];
  /** What node:crypto calls the hash; null where the algorithm brings its own. */
  readonly digest: "sha256" | "sha384" | "sha512" | null;
  readonly identifier: ObjectIdentifier;
  /** AlgorithmIdentifier, as written. */
  readonly der: Uint8Array;
}

/** DER NULL, the parameters that RSA signatures carry (RFC 4055 section 5). */
const nullParameters = Uint8Array.of(tag.null, 0);

const table: Readonly<Record<SignatureAlgorithm, Algorithm>> = {
  "ecdsa-sha256": algorithm({ name: "ecdsa-sha256", keyKind: "ec", digest: "sha256", dotted: "1.2.840.10045.4.3.2" }),
  "ecdsa-sha384": algorithm({ name: "ecdsa-sha384", keyKind: "ec", digest: "sha384", dotted: "1.2.840.10045.4.3.3" }),
  "ecdsa-sha512": algorithm({ name: "ecdsa-sha512", keyKind: "ec", digest: "sha512", dotted: "1.2.840.10045.4.3.4" }),
  "rsa-sha256": algorithm({ name: "rsa-sha256", keyKind: "rsa", digest: "sha256", dotted: "1.2.840.113549.1.1.11" }),
  "rsa-sha384": algorithm({ name: "rsa-sha384", keyKind: "rsa", digest: "sha384", dotted: "1.2.840.113549.1.1.12" }),
  "rsa-sha512": algorithm({ name: "rsa-sha512", keyKind: "rsa", digest: "sha512", dotted: "1.2.840.113549.1.1.13" }),
  ed25519: algorithm({ name: "ed25519", keyKind: "ed25519", digest: null, dotted: "1.3.101.112" }),
};
const algorithmOf = new Map(Object.values(table).map((algorithm) => [algorithm.identifier, algorithm]));
const known = [...algorithmOf.keys()];

/** RSA with MD2, MD5 and SHA-1, ECDSA and DSA with SHA-1. */
const weak: ReadonlySet<string> = new Set([
  "1.2.840.113549.1.1.2",
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.3.14.3.2.29",
  "1.2.840.10045.4.1",
  "1.2.840.10040.4.3",
]);

/** Reads an AlgorithmIdentifier; "weak" stands for MD5 and SHA-1, "unknown" for the rest that this package does not verify. */
export function readSignatureAlgorithm(reader: DerReader): SignatureAlgorithm | "weak" | "unknown" {
  reader.enter(tag.sequence);
  const identifier = reader.objectIdentifier(known);
  const found = algorithmOf.get(identifier);
  if (found === undefined) {
    reader.leaveUnread();
    return weak.has(identifier.dotted) ? "weak" : "unknown";
  }
  // RFC 4055 section 5: NULL for RSA, and absent is to be accepted; RFC 5758 section 3.2, RFC 8410 section 3: absent.
  if (found.keyKind === "rsa" && !reader.atEnd) {
    reader.null();
  }
  reader.leave();
  return found.name;
}

/** Whether keys of that type make signatures of that algorithm. */
export function fitsKey(algorithm: SignatureAlgorithm, key: PublicKeyInfo): boolean {
  return table[algorithm].keyKind === key.kind;
}

/** Returns the algorithm that a key signs with: SHA-256, but SHA-384 on P-384 and SHA-512 on P-521. */
export function signingAlgorithmOf(key: PublicKeyInfo): SignatureAlgorithm {
  switch (key.kind) {
    case "rsa":
      return "rsa-sha256";
    case "ed25519":
      return "ed25519";
    case "ec":
      return key.curve === "P-256" ? "ecdsa-sha256" : key.curve === "P-384" ? "ecdsa-sha384" : "ecdsa-sha512";
  }
}

/** Returns the DER AlgorithmIdentifier of an algorithm. */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): Uint8Array {
  return table[algorithm].der;
}

/** Returns the signature over `data`; blocks until it is made. */
export function signBytes(algorithm: SignatureAlgorithm, key: KeyObject, data: Uint8Array): Uint8Array {
  return sign(table[algorithm].digest, data, key);
}

/** Returns the signature over `data`, made on the thread pool. */
export function signBytesAsync(algorithm: SignatureAlgorithm, key: KeyObject, data: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign(table[algorithm].digest, data, key, (error, signature) =>
      error === null ? resolve(signature) : reject(error),
    );
  });
}

/** Whether `signature` is the key's signature over `data`; the algorithm must fit the key. */
export function verifyBytes(
  algorithm: SignatureAlgorithm,
  signed: { readonly data: Uint8Array; readonly signature: Uint8Array },
  key: KeyObject,
): boolean {
  return verify(table[algorithm].digest, signed.data, key, signed.signature);
}

function algorithm({
  dotted,
  ...rest
}: Omit<Algorithm, "identifier" | "der"> & { readonly dotted: string }): Algorithm {
  const identifier = objectIdentifier(dotted);
  const der = encodeDer(rest.keyKind === "rsa" ? sequence(identifier.der, nullParameters) : sequence(identifier.der));
  return { ...rest, identifier, der };
}
