import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { DerReader } from "./der/der-reader.ts";
import { bitString, type DerValue, encodeDer, sequence, unsignedInteger } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { importPublicKey, type PublicKeyInfo, readSpki } from "./public-key.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });
const nullDer = Uint8Array.of(5, 0);
const rsaEncryption = objectIdentifier("1.2.840.113549.1.1.1").der;
const ecPublicKey = objectIdentifier("1.2.840.10045.2.1").der;
const p256 = objectIdentifier("1.2.840.10045.3.1.7").der;
const ed25519 = objectIdentifier("1.3.101.112").der;

const info = (spki: DerValue): PublicKeyInfo => {
  const reader = new DerReader(encodeDer(spki), "csr-malformed");
  const found = readSpki(reader);
  reader.finish();
  return found;
};
const spkiOf = (key: KeyObject): Buffer => key.export({ format: "der", type: "spki" });

const rsa = (bits: number, exponent: Uint8Array, parameters: DerValue[] = [nullDer]): DerValue => {
  const modulus = new Uint8Array(Math.ceil(bits / 8)).fill(0xff);
  modulus[0] = 0xff >> (modulus.length * 8 - bits);
  const key = sequence(unsignedInteger(modulus), unsignedInteger(exponent));
  return sequence(sequence(rsaEncryption, ...parameters), bitString(encodeDer(key)));
};
const usualExponent = Uint8Array.of(1, 0, 1);
const even = (): DerValue => {
  const modulus = new Uint8Array(256).fill(0xfe);
  const key = sequence(unsignedInteger(modulus), unsignedInteger(usualExponent));
  return sequence(sequence(rsaEncryption, nullDer), bitString(encodeDer(key)));
};

describe("readSpki (RFC 5280 section 4.1.2.7)", () => {
  it.each([
    ["P-256", spkiOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey), { kind: "ec", curve: "P-256" }],
    ["P-384", spkiOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey), { kind: "ec", curve: "P-384" }],
    ["P-521", spkiOf(generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey), { kind: "ec", curve: "P-521" }],
    ["Ed25519", spkiOf(generateKeyPairSync("ed25519").publicKey), { kind: "ed25519" }],
    ["RSA-1024, so that a policy can call it weak", rsa(1024, usualExponent), { kind: "rsa", bits: 1024 }],
    ["RSA-2047", rsa(2047, usualExponent), { kind: "rsa", bits: 2047 }],
    ["RSA-2048", rsa(2048, usualExponent), { kind: "rsa", bits: 2048 }],
    ["RSA-8192", rsa(8192, Uint8Array.of(3)), { kind: "rsa", bits: 8192 }],
    ["RSA with the largest exponent", rsa(2048, Uint8Array.of(0x7f, 0xff, 0xff, 0xff)), { kind: "rsa", bits: 2048 }],
  ])("reads %s", (_type, spki, expected) => {
    expect(info(spki)).toEqual(expected);
  });

  it.each([
    ["RSA-512", rsa(512, usualExponent)],
    ["RSA-1023", rsa(1023, usualExponent)],
    ["RSA-8193", rsa(8193, usualExponent)],
    ["RSA-PSS", spkiOf(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey)],
    ["DSA", spkiOf(generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 224 }).publicKey)],
    ["secp256k1", spkiOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey)],
    ["Ed448", spkiOf(generateKeyPairSync("ed448").publicKey)],
    ["X25519", spkiOf(generateKeyPairSync("x25519").publicKey)],
    [
      "a curve with explicit parameters (RFC 5480 section 2.1.1)",
      spkiOf(generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).publicKey),
    ],
    ["a compressed point", sequence(sequence(ecPublicKey, p256), bitString(Uint8Array.of(2, ...new Uint8Array(32))))],
  ])("does not support %s", (_type, spki) => {
    expect(() => info(spki)).toThrow(code("key-unsupported"));
  });

  it.each([
    ["an even RSA exponent", rsa(2048, Uint8Array.of(1, 0, 0))],
    ["the RSA exponent 1", rsa(2048, Uint8Array.of(1))],
    ["the RSA exponent 0", rsa(2048, Uint8Array.of(0))],
    ["an RSA exponent of 32 bits", rsa(2048, Uint8Array.of(0x80, 0, 0, 1))],
    ["an RSA exponent of 64 bits", rsa(2048, new Uint8Array(8).fill(0xff))],
    ["an even RSA modulus", even()],
    ["RSA without NULL (RFC 3279 section 2.3.1)", rsa(2048, usualExponent, [])],
    ["RSA with more than NULL", rsa(2048, usualExponent, [nullDer, nullDer])],
    [
      "a point of another curve's length",
      sequence(sequence(ecPublicKey, p256), bitString(Uint8Array.of(4, ...new Uint8Array(96)))),
    ],
    ["the point at infinity", sequence(sequence(ecPublicKey, p256), bitString(Uint8Array.of(0)))],
    ["a hybrid point", sequence(sequence(ecPublicKey, p256), bitString(Uint8Array.of(6, ...new Uint8Array(64))))],
    ["an Ed25519 key of 31 bytes", sequence(sequence(ed25519), bitString(new Uint8Array(31)))],
    [
      "Ed25519 with parameters (RFC 8410 section 3)",
      sequence(sequence(ed25519, nullDer), bitString(new Uint8Array(32))),
    ],
    ["more than a key", sequence(sequence(ed25519), bitString(new Uint8Array(32)), nullDer)],
  ])("refuses %s", (_why, spki) => {
    expect(() => info(spki)).toThrow(code("csr-malformed"));
  });
});

describe("importPublicKey", () => {
  const point = (x: Uint8Array, y: Uint8Array): Uint8Array =>
    encodeDer(sequence(sequence(ecPublicKey, p256), bitString(Uint8Array.of(4, ...x, ...y))));

  it.each([
    ["a point that is not on its curve", point(new Uint8Array(32).fill(1), new Uint8Array(32).fill(1))],
    ["a coordinate beyond the field", point(new Uint8Array(32).fill(0xff), new Uint8Array(32).fill(0xff))],
    ["zeros", point(new Uint8Array(32), new Uint8Array(32))],
  ])("refuses %s", (_why, spki) => {
    expect(info(spki)).toEqual({ kind: "ec", curve: "P-256" });
    const limit = Error.stackTraceLimit;
    expect(() => importPublicKey(spki, "csr-malformed")).toThrow(code("csr-malformed"));
    expect(Error.stackTraceLimit).toBe(limit);
  });
});
