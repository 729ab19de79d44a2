import { createPublicKey, type KeyObject } from "node:crypto";
import type { DerReader } from "./der/der-reader.ts";
import { type ObjectIdentifier, objectIdentifier } from "./der/object-identifier.ts";
import { tag } from "./der/tag.ts";
import { X509Error, type X509ErrorCode } from "./errors.ts";

/** Which key a SubjectPublicKeyInfo holds; `bits` is the size of the RSA modulus. */
export type PublicKeyInfo =
  | { readonly kind: "ec"; readonly curve: EllipticCurve }
  | { readonly kind: "rsa"; readonly bits: number }
  | { readonly kind: "ed25519" };

/** The elliptic curves this package knows. */
export type EllipticCurve = "P-256" | "P-384" | "P-521";

/** Sizes of RSA keys that can be parsed, in bits; which of them is acceptable is for the policy of the caller. */
export const parsedRsaBits = { min: 1024, max: 8192 } as const;

const ecPublicKey = objectIdentifier("1.2.840.10045.2.1");
const rsaEncryption = objectIdentifier("1.2.840.113549.1.1.1");
const ed25519 = objectIdentifier("1.3.101.112");
const keyAlgorithms = [ecPublicKey, rsaEncryption, ed25519] as const;

interface Curve {
  readonly info: { readonly kind: "ec"; readonly curve: EllipticCurve };
  /** Octets of an uncompressed point. */
  readonly pointBytes: number;
}

const curves: ReadonlyMap<ObjectIdentifier, Curve> = new Map([
  [objectIdentifier("1.2.840.10045.3.1.7"), { info: { kind: "ec", curve: "P-256" }, pointBytes: 65 }],
  [objectIdentifier("1.3.132.0.34"), { info: { kind: "ec", curve: "P-384" }, pointBytes: 97 }],
  [objectIdentifier("1.3.132.0.35"), { info: { kind: "ec", curve: "P-521" }, pointBytes: 133 }],
]);
const knownCurves = [...curves.keys()];

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and returns which key it holds.
 *
 * Points must be uncompressed; RSA exponents odd, at least 3 and below 2^31, as Go has it, since a large one makes
 * verification slow. That a point is on its curve shows when the key is imported.
 * @throws X509Error the reader's code, or `key-unsupported`
 */
export function readSpki(reader: DerReader): PublicKeyInfo {
  reader.enter(tag.sequence);
  const info = readKey(reader);
  reader.leave();
  return info;
}

function readKey(reader: DerReader): PublicKeyInfo {
  reader.enter(tag.sequence);
  const identifier = reader.objectIdentifier(keyAlgorithms);
  switch (identifier) {
    case ecPublicKey: {
      const curve = readCurve(reader);
      reader.leave();
      return readEcKey(reader, curve);
    }
    case rsaEncryption:
      // RFC 3279 section 2.3.1: parameters are NULL.
      reader.null();
      reader.leave();
      return readRsaKey(reader);
    case ed25519:
      // RFC 8410 section 3: parameters are absent.
      reader.leave();
      return readEd25519Key(reader);
    default:
      throw new X509Error("key-unsupported", `keys of algorithm ${identifier.dotted} are not supported`);
  }
}

function readCurve(reader: DerReader): Curve {
  // RFC 5480 section 2.1.1: named curves only.
  if (reader.nextTag !== tag.objectIdentifier) {
    throw new X509Error("key-unsupported", "elliptic curves with explicit parameters are not supported");
  }
  const identifier = reader.objectIdentifier(knownCurves);
  const curve = curves.get(identifier);
  if (curve === undefined) {
    throw new X509Error("key-unsupported", `elliptic curve ${identifier.dotted} is not supported`);
  }
  return curve;
}

function readEcKey(reader: DerReader, curve: Curve): PublicKeyInfo {
  const point = reader.bitString();
  if (point[0] === 0x02 || point[0] === 0x03) {
    throw new X509Error("key-unsupported", "compressed elliptic curve points are not supported");
  }
  if (point[0] !== 0x04 || point.length !== curve.pointBytes) {
    reader.fail(`point of ${point.length} bytes does not fit curve ${curve.info.curve}`);
  }
  return curve.info;
}

function readRsaKey(reader: DerReader): PublicKeyInfo {
  reader.enterBitString();
  reader.enter(tag.sequence);
  const modulus = reader.unsignedInteger(4096);
  const exponent = reader.smallInteger();
  reader.leave();
  reader.leave();
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < parsedRsaBits.min || bits > parsedRsaBits.max) {
    const range = `${parsedRsaBits.min} to ${parsedRsaBits.max}`;
    throw new X509Error("key-unsupported", `RSA modulus of ${bits} bits is not in the range ${range}`);
  }
  if (((modulus.at(-1) ?? 0) & 1) === 0) {
    reader.fail("RSA modulus is even");
  }
  if (exponent < 3 || (exponent & 1) === 0) {
    reader.fail(`RSA exponent ${exponent} is even or below 3`);
  }
  return { kind: "rsa", bits };
}

function readEd25519Key(reader: DerReader): PublicKeyInfo {
  const key = reader.bitString();
  if (key.length !== 32) {
    reader.fail(`Ed25519 key of ${key.length} bytes is not 32 bytes long`);
  }
  return { kind: "ed25519" };
}

/**
 * Returns the public key of a SubjectPublicKeyInfo that `readSpki` accepted.
 * @throws X509Error `code` if it is not a key after all, for example a point that is not on its curve
 */
export function importPublicKey(spki: Uint8Array, code: X509ErrorCode): KeyObject {
  // Node throws and swallows errors of its own while it looks at the options; without stack traces that costs a third less.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return createPublicKey({
      key: spki,
      format: "der",
      type: "spki",
    });
  } catch (cause) {
    throw new X509Error(code, "public key is not a valid key of its type", { cause });
  } finally {
    Error.stackTraceLimit = limit;
  }
}
