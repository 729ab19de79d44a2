import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, type KeyPair, type KeyType, parseCsr } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { checkCsr, parseCallerCsr } from "./check-csr.ts";
import { buildTestCsr } from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

/** RSA keys that `generateKeyPair` does not make. */
function rsaKey(bits: number, publicExponent = 65537): KeyPair {
  const pair = generateKeyPairSync("rsa", { modulusLength: bits, publicExponent });
  return { ...pair, spki: spkiOf(pair.publicKey), info: { kind: "rsa", bits } };
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ type: "spki", format: "der" });
}

/** The same modulus under another exponent; nothing can be signed for it, and nothing needs to. */
function withExponent(key: KeyPair, exponent: string): KeyPair {
  const jwk = { ...key.publicKey.export({ format: "jwk" }), e: exponent };
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  return { ...key, publicKey, spki: spkiOf(publicKey) };
}

describe("checkCsr", () => {
  it.each<KeyType>(["P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "Ed25519"])(
    "accepts a CSR signed by its own %s key",
    async (type) => {
      const csr = parseCsr(createCsr({ key: await generateKeyPair(type), spiffeId }));
      expect(() => checkCsr(csr)).not.toThrow();
    },
  );

  it("accepts RSA with exponent 3", () => {
    expect(() => checkCsr(parseCsr(buildTestCsr({ key: rsaKey(2048, 3) })))).not.toThrow();
  });

  it.each<{ name: string; key: () => KeyPair; code: string }>([
    { name: "512 bits", key: () => rsaKey(512), code: "csr-key-unsupported" },
    { name: "1024 bits", key: () => rsaKey(1024), code: "csr-key-weak" },
    { name: "2040 bits", key: () => rsaKey(2040), code: "csr-key-weak" },
    { name: "4104 bits", key: () => rsaKey(4104), code: "csr-key-weak" },
    { name: "exponent 1", key: () => withExponent(rsaKey(2048), "AQ"), code: "csr-malformed" },
    { name: "an even exponent", key: () => withExponent(rsaKey(2048), "AQAA"), code: "csr-malformed" },
    { name: "an exponent over 2^31-1", key: () => withExponent(rsaKey(2048), "AQAAAAE"), code: "csr-malformed" },
  ])("refuses RSA with $name", ({ key, code }) => {
    const pem = buildTestCsr({ key: key() });
    expect(() => checkCsr(parseCallerCsr(pem))).toThrow(expect.objectContaining({ code }));
  });

  it.each<[KeyType, KeyType]>([
    ["P-256", "P-256"],
    ["P-256", "P-384"],
    ["RSA-2048", "RSA-2048"],
    ["Ed25519", "Ed25519"],
  ])("refuses a %s key that did not sign the CSR, another %s key did", async (type, other) => {
    const pem = buildTestCsr({ key: await generateKeyPair(type), signedBy: await generateKeyPair(other) });
    expect(() => checkCsr(parseCsr(pem))).toThrow(expect.objectContaining({ code: "csr-signature-invalid" }));
  });
});

describe("parseCallerCsr", () => {
  it.each<{ name: string; pem: string; code: string }>([
    { name: "nothing", pem: "", code: "csr-malformed" },
    { name: "no PEM", pem: "not a CSR", code: "csr-malformed" },
    { name: "PEM of something else", pem: pem("CERTIFICATE REQUEST", "AAAA"), code: "csr-malformed" },
    { name: "more than 64 KiB", pem: pem("CERTIFICATE REQUEST", "AAAA".repeat(30_000)), code: "csr-too-large" },
  ])("refuses $name", ({ pem: text, code }) => {
    expect(() => parseCallerCsr(text)).toThrow(expect.objectContaining({ code, name: "CaError" }));
  });

  it("refuses a signature of a kind that the key cannot make", async () => {
    const mixed = buildTestCsr({ key: await generateKeyPair("RSA-2048"), signedBy: await generateKeyPair("P-256") });
    expect(() => parseCallerCsr(mixed)).toThrow(expect.objectContaining({ code: "csr-malformed" }));
  });

  it("refuses a signature over SHA-1", () => {
    expect(() => parseCallerCsr(buildTestCsr({ key: rsaKey(2048), sha1: true }))).toThrow(
      expect.objectContaining({ code: "csr-signature-invalid" }),
    );
  });

  it("keeps the cause", () => {
    expect(() => parseCallerCsr("x")).toThrow(expect.objectContaining({ cause: expect.any(Error) }));
  });

  it("refuses a key of an unknown kind", () => {
    const pair = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    const key: KeyPair = { ...pair, spki: spkiOf(pair.publicKey), info: { kind: "ec", curve: "P-256" } };
    expect(() => parseCallerCsr(buildTestCsr({ key }))).toThrow(
      expect.objectContaining({ code: "csr-key-unsupported" }),
    );
  });
});

function pem(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}
