import { describe, expect, it } from "vitest";
import {
  certificatePem,
  maxCertificateBytes,
  parseCertificate,
  parseCertificates,
  serialNumberHex,
} from "./certificate.ts";
import { bitString, type DerValue, derNode, encodeDer, octetString, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { encodePem } from "./pem.ts";
import { testKey, testLeaf, testRoot } from "./testing.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });
const malformed = code("certificate-malformed");
const key = await testKey("P-256");
const version3 = Uint8Array.fromHex("a003020102");
const ecdsa = Uint8Array.fromHex("300a06082a8648ce3d040302");
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const utcTime = (text: string): DerValue => derNode(0x17, [ascii(text)]);
const extension = (dotted: string, value: DerValue | string, critical = ""): DerValue =>
  sequence(
    objectIdentifier(dotted).der,
    Uint8Array.fromHex(critical),
    octetString(typeof value === "string" ? Uint8Array.fromHex(value) : value),
  );

interface Parts {
  version?: DerValue;
  serial?: string;
  inner?: DerValue;
  outer?: DerValue;
  issuer?: DerValue;
  validity?: DerValue;
  subject?: DerValue;
  spki?: DerValue;
  rest?: readonly DerValue[];
  extensions?: readonly DerValue[];
  signature?: DerValue;
}

/** A certificate whose parts can be replaced one by one; the signature is not one. */
function odd(parts: Parts = {}): Uint8Array {
  const usual = [extension("2.5.29.15", "030205a0", "0101ff")];
  return encodeDer(
    sequence(
      sequence(
        parts.version ?? version3,
        Uint8Array.fromHex(parts.serial ?? "020105"),
        parts.inner ?? ecdsa,
        parts.issuer ?? organizationOnly("issuer"),
        parts.validity ?? sequence(utcTime("260101000000Z"), utcTime("270101000000Z")),
        parts.subject ?? organizationOnly("subject"),
        parts.spki ?? key.spki,
        ...(parts.rest ?? [derNode(0xa3, [sequence(...(parts.extensions ?? usual))])]),
      ),
      parts.outer ?? ecdsa,
      parts.signature ?? bitString(Uint8Array.of(1)),
    ),
  );
}
const withExtension = (dotted: string, value: DerValue | string, critical?: string): Uint8Array =>
  odd({ extensions: [extension(dotted, value, critical)] });

const manyExtensions = (count: number): DerValue[] =>
  Array.from({ length: count }, (_, index) => extension(`1.2.3.${index}`, "0500"));

describe("parseCertificate", () => {
  it("reads a leaf", async () => {
    const root = await testRoot();
    const { chain, key: leafKey } = await testLeaf(root);
    expect(chain[0]).toMatchObject({
      issuer: root.certificate.subject,
      notBefore: new Date("2020-01-01T00:00:00Z"),
      notAfter: new Date("2045-01-01T00:00:00Z"),
      spki: leafKey.spki,
      publicKeyInfo: { kind: "ec", curve: "P-256" },
      signatureAlgorithm: "ecdsa-sha256",
      isCa: false,
      hasBasicConstraints: true,
      nameConstraints: undefined,
      keyUsage: new Set(["digitalSignature", "keyEncipherment"]),
      keyUsageCritical: true,
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
      subjectKeyIdentifier: undefined,
      authorityKeyIdentifier: root.certificate.subjectKeyIdentifier,
      subjectAltNames: [{ kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" }],
      subjectAltNameCritical: true,
      unknownCriticalExtensions: [],
    });
    expect(chain[0].publicKey.equals(leafKey.publicKey)).toBe(true);
    expect(chain[0].publicKey).toBe(chain[0].publicKey);
  });

  it("takes what is odd but allowed", () => {
    expect(parseCertificate(odd({ version: Uint8Array.of(), rest: [] })).isCa).toBe(false);
    expect(
      parseCertificate(odd({ version: Uint8Array.fromHex("a003020101"), rest: [derNode(0x81, [], 0)] })).isCa,
    ).toBe(false);
    expect(parseCertificate(odd({ serial: "020100" })).serialNumber).toBe(0n);
    expect(parseCertificate(odd({ serial: `021500${"ff".repeat(20)}` })).serialNumber).toBe(2n ** 160n - 1n);
    expect(parseCertificate(withExtension("2.5.29.19", "3000", "010100")).hasBasicConstraints).toBe(true);
    expect(parseCertificate(withExtension("2.5.29.19", "3003010100")).isCa).toBe(false);
    expect(parseCertificate(withExtension("2.5.29.19", "30060101ff020103")).pathLength).toBe(3);
    expect(parseCertificate(withExtension("2.5.29.35", "3000")).authorityKeyIdentifier).toBeUndefined();
    expect(parseCertificate(withExtension("2.5.29.35", "300b800101a103810161820105")).authorityKeyIdentifier).toEqual(
      Uint8Array.of(1),
    );
    expect(parseCertificate(withExtension("2.5.29.15", "03020780")).keyUsage).toEqual(new Set(["digitalSignature"]));
    expect(parseCertificate(withExtension("2.5.29.15", "0303070080")).keyUsage).toEqual(new Set(["decipherOnly"]));
  });

  it.each([
    ["ecdsa-sha256", "300a06082a8648ce3d040302"],
    ["rsa-sha512", "300d06092a864886f70d01010d0500"],
    ["weak", "300d06092a864886f70d0101050500"],
    ["weak", "300906072a8648ce3d0401"],
    ["unknown", "30050603550403"],
  ])("names the signature algorithm: %s", (name, hex) => {
    const algorithm = Uint8Array.fromHex(hex);
    expect(parseCertificate(odd({ inner: algorithm, outer: algorithm })).signatureAlgorithm).toBe(name);
  });

  it("lists critical extensions it does not evaluate", () => {
    const certificate = parseCertificate(
      odd({
        extensions: [extension("1.2.3.4", "0500", "0101ff"), extension("1.2.3.5", "00")],
      }),
    );
    expect(certificate.unknownCriticalExtensions).toEqual(["1.2.3.4"]);
  });

  it("takes 64 extensions", () => {
    expect(parseCertificate(odd({ extensions: manyExtensions(64) })).isCa).toBe(false);
  });

  it("reads names of every form", () => {
    const names = sequence(
      derNode(0x86, [ascii("spiffe://a/b")]),
      derNode(0x82, [ascii("a.example")]),
      derNode(0x87, [Uint8Array.of(192, 0, 2, 1)]),
      derNode(0x81, [ascii("a@example")]),
      derNode(0xa4, [organizationOnly("x")]),
    );
    expect(parseCertificate(withExtension("2.5.29.17", names)).subjectAltNames).toEqual([
      { kind: "uri", value: "spiffe://a/b" },
      { kind: "dns", value: "a.example" },
      { kind: "ip", value: "192.0.2.1" },
      { kind: "other", tag: 1, der: Uint8Array.of(0x81, 9, ...ascii("a@example")) },
      { kind: "other", tag: 4, der: encodeDer(derNode(0xa4, [organizationOnly("x")])) },
    ]);
  });
});

describe("parseCertificate refuses (RFC 5280 sections 4.1 and 4.2)", () => {
  it.each<[string, () => Uint8Array]>([
    ["over 65,536 bytes", () => withExtension("1.2.3.4", new Uint8Array(maxCertificateBytes))],
    ["nothing", () => new Uint8Array()],
    ["a byte too many", () => Uint8Array.of(...odd(), 0)],
    ["a version 4", () => odd({ version: Uint8Array.fromHex("a003020103") })],
    ["extensions in version 2", () => odd({ version: Uint8Array.fromHex("a003020101") })],
    ["unique identifiers in version 1", () => odd({ version: Uint8Array.of(), rest: [derNode(0x81, [], 0)] })],
    ["a negative serial number", () => odd({ serial: "0201ff" })],
    ["a serial number of 21 octets", () => odd({ serial: `0215${"01".repeat(21)}` })],
    ["two signature algorithms", () => odd({ outer: Uint8Array.fromHex("300a06082a8648ce3d040303") })],
    [
      "a validity of three times",
      () => odd({ validity: sequence(...Array<DerValue>(3).fill(utcTime("260101000000Z"))) }),
    ],
    [
      "a time that does not exist",
      () => odd({ validity: sequence(utcTime("260231000000Z"), utcTime("270101000000Z")) }),
    ],
    ["a name that is not one", () => odd({ issuer: sequence(sequence()) })],
    ["an empty list of extensions", () => odd({ extensions: [] })],
    ["65 extensions", () => odd({ extensions: manyExtensions(65) })],
    ["an extension twice", () => odd({ extensions: Array<DerValue>(2).fill(extension("1.2.3.4", "0500")) })],
    ["a known extension twice", () => odd({ extensions: Array<DerValue>(2).fill(extension("2.5.29.19", "3000")) })],
    ["a signature of odd bits", () => odd({ signature: derNode(3, [Uint8Array.of(0x80)], 7) })],
    ["basic constraints with more in them", () => withExtension("2.5.29.19", "30060101ff040103")],
    ["a negative path length", () => withExtension("2.5.29.19", "30060101ff0201ff")],
    ["bytes behind basic constraints", () => withExtension("2.5.29.19", "30000500")],
    ["an empty key usage", () => withExtension("2.5.29.15", "030100")],
    ["an empty extended key usage", () => withExtension("2.5.29.37", "3000")],
    ["an empty subject alternative name", () => withExtension("2.5.29.17", "3000")],
    ["an IP address of 5 bytes", () => withExtension("2.5.29.17", "300787050102030405")],
    ["a name of form 9", () => withExtension("2.5.29.17", "30028900")],
    ["a name of no form", () => withExtension("2.5.29.17", "30021600")],
    ["an extension whose critical flag is neither", () => withExtension("2.5.29.17", "3000", "010101")],
  ])("%s", (_why, der) => {
    expect(() => parseCertificate(der())).toThrow(malformed);
  });

  it("keys it does not know", () => {
    const spki = sequence(sequence(objectIdentifier("1.2.840.10040.4.1").der), bitString(Uint8Array.of(1)));
    expect(() => parseCertificate(odd({ spki }))).toThrow(code("key-unsupported"));
  });

  it("a point that is not on its curve, once the key is used", () => {
    const spki = key.spki.slice();
    spki.fill(1, spki.length - 64);
    const certificate = parseCertificate(odd({ spki }));
    expect(() => certificate.publicKey).toThrow(code("public-key-malformed"));
  });
});

describe("parseCertificates", () => {
  it("reads every CERTIFICATE block and passes over others", () => {
    const pem = encodePem("CERTIFICATE", odd());
    expect(parseCertificates(`# root\n${pem}${encodePem("X509 CRL", Uint8Array.of(5, 0))}${pem}`)).toHaveLength(2);
    expect(certificatePem(parseCertificate(odd()))).toBe(pem);
  });

  it.each([
    ["pem-malformed", "no PEM", "hello"],
    ["pem-malformed", "no certificate", encodePem("PRIVATE KEY", Uint8Array.of(5, 0))],
    [
      "certificate-malformed",
      "one that is malformed",
      encodePem("CERTIFICATE", odd()) + encodePem("CERTIFICATE", Uint8Array.of(5, 0)),
    ],
  ])("fails with %s for %s", (expected, _why, pem) => {
    expect(() => parseCertificates(pem)).toThrow(code(expected));
  });
});

describe("serialNumberHex", () => {
  it.each([
    ["020100", "0"],
    ["020105", "05"],
    ["0203010203", "010203"],
    ["02110080000000000000000000000000000000", "80000000000000000000000000000000"],
    ["02020a0b", "0a0b"],
  ])("writes %s as %s", (serial, expected) => {
    expect(serialNumberHex(parseCertificate(odd({ serial })))).toBe(expected);
  });
});
