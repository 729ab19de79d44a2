import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { generateKeyPair, type KeyType, needsThreadPool, parsePrivateKey, privateKeyPem } from "./key-pair.ts";
import { encodePem } from "./pem.ts";
import { testKey } from "./testing.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });

const types: readonly [KeyType, traditional: string, slow: boolean][] = [
  ["P-256", "EC PRIVATE KEY", false],
  ["P-384", "EC PRIVATE KEY", true],
  ["P-521", "EC PRIVATE KEY", true],
  ["RSA-2048", "RSA PRIVATE KEY", false],
  ["RSA-3072", "RSA PRIVATE KEY", true],
  ["Ed25519", "PRIVATE KEY", false],
];

describe.each(types)("%s", (type, traditional, slow) => {
  it("is written in both forms and read back the same", async () => {
    const key = await testKey(type);
    expect(needsThreadPool(key)).toBe(slow);
    for (const [format, label] of [
      ["traditional", traditional],
      ["pkcs8", "PRIVATE KEY"],
    ] as const) {
      const pem = privateKeyPem(key, format);
      expect(pem).toMatch(new RegExp(`^-----BEGIN ${label}-----\n[^-]*-----END ${label}-----\n$`));
      const read = parsePrivateKey(pem);
      expect(read.spki).toEqual(key.spki);
      expect(read.info).toEqual(key.info);
    }
  });
});

describe("generateKeyPair", () => {
  it.each([
    ["RSA-2048", { kind: "rsa", bits: 2048 }],
    ["RSA-3072", { kind: "rsa", bits: 3072 }],
    ["P-521", { kind: "ec", curve: "P-521" }],
    ["Ed25519", { kind: "ed25519" }],
  ] as const)("makes a %s key", async (type, info) => {
    expect((await generateKeyPair(type)).info).toEqual(info);
  });
});

describe("parsePrivateKey", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const sec1 = ec.export({ format: "pem", type: "sec1" }).toString();

  it("reads the first block only", () => {
    const pair = parsePrivateKey(`${sec1}-----BEGIN anything`);
    expect(pair.info).toEqual({ kind: "ec", curve: "P-256" });
  });

  it.each([
    ["an empty text", ""],
    ["a certificate", encodePem("CERTIFICATE", Uint8Array.of(0x30, 0))],
    ["EC PARAMETERS first, as Istio does", `${encodePem("EC PARAMETERS", Uint8Array.of(5, 0))}${sec1}`],
    ["a key under the label of another form", sec1.replaceAll("EC PRIVATE", "RSA PRIVATE")],
    ["bytes that are no key", encodePem("PRIVATE KEY", Uint8Array.of(0x30, 0))],
    [
      "an encrypted PKCS#8 key",
      ec.export({ format: "pem", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "x" }).toString(),
    ],
    [
      "an encrypted PKCS#1 key",
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END RSA PRIVATE KEY-----\n",
    ],
    ["a text over 64 Ki characters", `${" ".repeat(65536)}${sec1}`],
    ["a private key with the public key of another", swapPublicKey()],
  ])("refuses %s", (_why, pem) => {
    expect(() => parsePrivateKey(pem)).toThrow(code("private-key-malformed"));
  });

  it.each([
    ["RSA-PSS", generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey],
    ["DSA", generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 224 }).privateKey],
    ["secp256k1", generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey],
    ["Ed448", generateKeyPairSync("ed448").privateKey],
    ["X25519", generateKeyPairSync("x25519").privateKey],
  ])("refuses keys of type %s", (_type, key) => {
    const pem = key.export({ format: "pem", type: "pkcs8" }).toString();
    expect(() => parsePrivateKey(pem)).toThrow(code("key-unsupported"));
  });

  it("quotes nothing of the key in its errors", () => {
    const pem = encodePem("PRIVATE KEY", new TextEncoder().encode("very secret"));
    expect.assertions(2);
    try {
      parsePrivateKey(pem);
    } catch (error) {
      expect(String(error)).not.toContain("secret");
      expect(error).not.toHaveProperty("cause");
    }
  });

  function swapPublicKey(): string {
    const [mine, other] = [ec, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey].map((key) =>
      key.export({ format: "der", type: "sec1" }),
    );
    // A SEC1 key ends in the 65 octets of its public point.
    const mixed = Buffer.concat([mine?.subarray(0, -65) ?? Buffer.of(), other?.subarray(-65) ?? Buffer.of()]);
    expect(() => createPrivateKey({ key: mixed, format: "der", type: "sec1" })).not.toThrow();
    return encodePem("EC PRIVATE KEY", mixed);
  }
});
