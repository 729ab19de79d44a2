import { generateKeyPairSync } from "node:crypto";
import { parseSpiffeId } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { createCsr } from "./create-csr.ts";
import { maxCsrBytes, maxCsrCharacters, parseCsr, verifyCsr } from "./csr.ts";
import { bitString, type DerValue, derNode, encodeDer, octetString, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { commonNameOnly, emptyName, organizationOnly } from "./distinguished-name.ts";
import { extension, extensionId } from "./extension.ts";
import type { KeyPair, KeyType } from "./key-pair.ts";
import { encodePem } from "./pem.ts";
import { algorithmIdentifier, type SignatureAlgorithm, signBytes } from "./signature-algorithm.ts";
import { subjectAltNames } from "./subject-alt-name.ts";
import { testKey } from "./testing.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const key = await testKey("P-256");
const rsaKey = await testKey("RSA-2048", "csr");
const zero = Uint8Array.of(2, 1, 0);

/** A CSR whose parts can be replaced one by one; the signature is right unless replaced. */
function oddCsr(parts: {
  version?: DerValue;
  subject?: DerValue;
  key?: KeyPair;
  spki?: DerValue;
  attributes?: readonly DerValue[];
  algorithm?: SignatureAlgorithm;
  identifier?: DerValue;
  signature?: DerValue;
  after?: DerValue;
}): string {
  const signer = parts.key ?? key;
  const info = encodeDer(
    sequence(
      parts.version ?? zero,
      parts.subject ?? emptyName(),
      parts.spki ?? signer.spki,
      ...(parts.attributes ?? [derNode(0xa0, [])]),
    ),
  );
  const algorithm = parts.algorithm ?? "ecdsa-sha256";
  const signature = parts.signature ?? bitString(signBytes(algorithm, signer.privateKey, info));
  const identifier = parts.identifier ?? algorithmIdentifier(algorithm);
  const rest = parts.after === undefined ? [] : [parts.after];
  return encodePem("CERTIFICATE REQUEST", encodeDer(sequence(info, identifier, signature, ...rest)));
}

const algorithmOf = (dotted: string, ...parameters: DerValue[]): DerValue =>
  sequence(objectIdentifier(dotted).der, ...parameters);
const requesting = (...extensions: DerValue[]): DerValue =>
  derNode(0xa0, [sequence(objectIdentifier("1.2.840.113549.1.9.14").der, derNode(0x31, [sequence(...extensions)]))]);

describe("parseCsr", () => {
  it.each<[KeyType, SignatureAlgorithm]>([
    ["P-256", "ecdsa-sha256"],
    ["P-384", "ecdsa-sha384"],
    ["P-521", "ecdsa-sha512"],
    ["RSA-2048", "rsa-sha256"],
    ["Ed25519", "ed25519"],
  ])("reads what createCsr makes with a %s key", async (type, algorithm) => {
    const pair = await testKey(type, "csr");
    const csr = parseCsr(createCsr({ key: pair, spiffeId }));
    expect(csr).toMatchObject({
      spki: pair.spki,
      publicKeyInfo: pair.info,
      signatureAlgorithm: algorithm,
      hasCommonName: false,
      requestedSubjectAltNames: [{ kind: "uri", value: spiffeId }],
    });
    expect(csr.publicKey.equals(pair.publicKey)).toBe(true);
    expect(verifyCsr(csr)).toBe(true);
  });

  it.each<[SignatureAlgorithm, KeyPair]>([
    ["ecdsa-sha384", key],
    ["ecdsa-sha512", key],
    ["rsa-sha384", rsaKey],
    ["rsa-sha512", rsaKey],
  ])("takes %s as well", (algorithm, pair) => {
    expect(verifyCsr(parseCsr(oddCsr({ algorithm, key: pair })))).toBe(true);
  });

  it("accepts RSA parameters that are absent (RFC 4055 section 5)", () => {
    const pem = oddCsr({ key: rsaKey, algorithm: "rsa-sha256", identifier: algorithmOf("1.2.840.113549.1.1.11") });
    expect(verifyCsr(parseCsr(pem))).toBe(true);
  });

  it("reads the first PEM block only, after any text, under both labels", () => {
    const pem = createCsr({ key, spiffeId });
    const other = pem.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    expect(parseCsr(`Certificate Request:\n    Data:\n${pem}-----BEGIN broken`).spki).toEqual(key.spki);
    expect(parseCsr(other).spki).toEqual(key.spki);
    expect(() => parseCsr(pem.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"))).toThrow(code("csr-malformed"));
    expect(() => parseCsr(encodePem("PRIVATE KEY", Uint8Array.of(5, 0)) + pem)).toThrow(code("csr-malformed"));
  });

  it.each([
    ["an empty name", emptyName(), false],
    ["an organization", organizationOnly("demo"), false],
    ["an empty common name", commonNameOnly(""), false],
    ["a common name", commonNameOnly("frontend"), true],
  ])("says whether there is a common name: %s", (_what, subject, expected) => {
    expect(parseCsr(oddCsr({ subject })).hasCommonName).toBe(expected);
  });

  it("passes over attributes it does not know (RFC 2986 section 4.1)", () => {
    const challenge = sequence(objectIdentifier("1.2.840.113549.1.9.7").der, derNode(0x31, [derNode(0x0c, [])]));
    expect(verifyCsr(parseCsr(oddCsr({ attributes: [derNode(0xa0, [challenge])] })))).toBe(true);
  });
});

describe("size", () => {
  const padded = (bytes: number): string => {
    const request = (length: number): string => {
      const names = octetString(subjectAltNames([{ kind: "dns", value: "a".repeat(length) }]));
      return oddCsr({
        key: rsaKey,
        algorithm: "rsa-sha256",
        attributes: [requesting(sequence(extensionId.subjectAltName.der, names))],
      });
    };
    const overhead = Buffer.from(request(60_000).replace(/-----[^-]+-----/g, ""), "base64").length - 60_000;
    return request(bytes - overhead);
  };

  it("takes 65,536 bytes and not one more, whatever they say", () => {
    expect(parseCsr(padded(maxCsrBytes)).der).toHaveLength(maxCsrBytes);
    expect(() => parseCsr(padded(maxCsrBytes + 1))).toThrow(code("csr-too-large"));
    const zeros = encodePem("CERTIFICATE REQUEST", new Uint8Array(maxCsrBytes + 1));
    expect(() => parseCsr(zeros)).toThrow(code("csr-too-large"));
  });

  it("measures the text before it looks at it", () => {
    expect(() => parseCsr("-".repeat(maxCsrCharacters + 1))).toThrow(code("csr-too-large"));
    expect(() => parseCsr("-".repeat(maxCsrCharacters))).toThrow(code("csr-malformed"));
    expect(padded(maxCsrBytes).replaceAll("\n", "\r\n").length).toBeLessThan(maxCsrCharacters);
  });
});

describe("parseCsr refuses", () => {
  it.each([
    ["a text without PEM", () => "hello"],
    ["an empty text", () => ""],
    ["base64 that is none", () => createCsr({ key, spiffeId }).replace("MI", "M!")],
    ["version 1", () => oddCsr({ version: Uint8Array.of(2, 1, 1) })],
    ["no attributes, which RFC 2986 does not make optional", () => oddCsr({ attributes: [] })],
    ["attributes twice", () => oddCsr({ attributes: [derNode(0xa0, []), derNode(0xa0, [])] })],
    [
      "an attribute without a value",
      () =>
        oddCsr({
          attributes: [derNode(0xa0, [sequence(objectIdentifier("1.2.3").der, derNode(0x31, []))])],
        }),
    ],
    ["an empty relative name", () => oddCsr({ subject: sequence(derNode(0x31, [])) })],
    ["something behind the signature", () => oddCsr({ after: Uint8Array.of(5, 0) })],
    ["a signature with odd bits", () => oddCsr({ signature: derNode(3, [Uint8Array.of(0)], 1) })],
    ["an algorithm for another key", () => oddCsr({ identifier: algorithmIdentifier("rsa-sha256") })],
    [
      "ECDSA with parameters (RFC 5758 section 3.2)",
      () => oddCsr({ identifier: algorithmOf("1.2.840.10045.4.3.2", Uint8Array.of(5, 0)) }),
    ],
    ["a point that is not on its curve", () => oddCsr({ spki: offCurve() })],
    ["an extension twice (RFC 5280 section 4.2)", () => oddCsr({ attributes: [requesting(san("a"), san("b"))] })],
    [
      "a subject alternative name without names",
      () =>
        oddCsr({ attributes: [requesting(extension(extensionId.subjectAltName, { critical: false }, sequence()))] }),
    ],
    [
      "a subject alternative name that is not ASCII",
      () =>
        oddCsr({
          attributes: [
            requesting(
              extension(extensionId.subjectAltName, { critical: false }, sequence(Uint8Array.of(0x86, 1, 0xe4))),
            ),
          ],
        }),
    ],
  ])("%s", (_why, pem) => {
    expect(() => parseCsr(pem())).toThrow(code("csr-malformed"));
  });

  it.each([
    ["RSA with SHA-1", "1.2.840.113549.1.1.5", rsaKey],
    ["RSA with MD5", "1.2.840.113549.1.1.4", rsaKey],
    ["RSA-PSS", "1.2.840.113549.1.1.10", rsaKey],
    ["ECDSA with SHA-1", "1.2.840.10045.4.1", key],
    ["ECDSA with SHA-224", "1.2.840.10045.4.3.1", key],
    ["an algorithm nobody knows", "1.2.3.4", key],
  ])("signatures with %s", (_name, dotted, pair) => {
    const algorithm = pair === key ? "ecdsa-sha256" : "rsa-sha256";
    const pem = oddCsr({ key: pair, algorithm, identifier: algorithmOf(dotted) });
    expect(() => parseCsr(pem)).toThrow(code("signature-algorithm-unsupported"));
  });

  it("keys it does not know", () => {
    const spki = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({
      format: "der",
      type: "spki",
    });
    expect(() => parseCsr(oddCsr({ spki }))).toThrow(code("key-unsupported"));
  });

  function offCurve(): Uint8Array {
    const spki = key.spki.slice();
    spki.fill(1, spki.length - 64);
    return spki;
  }

  function san(name: string): DerValue {
    return extension(extensionId.subjectAltName, { critical: true }, subjectAltNames([{ kind: "dns", value: name }]));
  }
});

describe("verifyCsr", () => {
  it("refuses a CSR that another key signed", async () => {
    const pem = oddCsr({ spki: (await testKey("P-256")).spki });
    expect(verifyCsr(parseCsr(pem))).toBe(false);
  });

  it.each([
    ["no octets", new Uint8Array(0)],
    ["zeros in an ECDSA signature", Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 0)],
    ["bytes that are not DER", new Uint8Array(64).fill(0xaa)],
  ])("refuses a signature of %s", (_what, signature) => {
    expect(verifyCsr(parseCsr(oddCsr({ signature: bitString(signature) })))).toBe(false);
  });

  it.each<[KeyType, SignatureAlgorithm]>([
    ["RSA-2048", "rsa-sha256"],
    ["Ed25519", "ed25519"],
  ])("refuses a %s signature of another length", async (type, algorithm) => {
    const pair = await testKey(type, "csr");
    for (const length of [0, 1, 63, 65, 255, 257]) {
      const pem = oddCsr({ key: pair, algorithm, signature: bitString(new Uint8Array(length).fill(1)) });
      expect(verifyCsr(parseCsr(pem))).toBe(false);
    }
  });
});
