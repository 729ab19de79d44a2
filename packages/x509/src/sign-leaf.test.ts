import { beforeAll, describe, expect, it } from "vitest";
import { parseCertificate } from "./certificate.ts";
import { X509Error } from "./errors.ts";
import type { KeyPair, KeyType } from "./key-pair.ts";
import { signatureProblem } from "./path-problems.ts";
import { signLeaf, signLeafAsync } from "./sign-leaf.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";
import type { SvidTemplate } from "./svid-template.ts";
import { type TestCa, testKey, testLeaf, testRoot } from "./testing.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });
const uri = "spiffe://cluster.local/ns/demo/sa/frontend";
const serialNumber = Uint8Array.fromHex("ffeeddccbbaa99887766554433221100");

let root: TestCa;
let key: KeyPair;
let template: SvidTemplate;

beforeAll(async () => {
  root = await testRoot();
  key = await testKey("P-256");
  template = {
    spki: key.spki,
    subjectAltNames: [{ kind: "uri", value: uri }],
    notBefore: new Date("2026-11-01T11:58:00.750Z"),
    notAfter: new Date("2050-01-01T00:00:00.999Z"),
  };
});

const sign = (parts: Partial<SvidTemplate> = {}): Uint8Array =>
  signLeaf({ template: { ...template, ...parts }, issuer: root, serialNumber });

/** Everything from the version on, without the header of the TBSCertificate. */
const signedHex = (der: Uint8Array): string => parseCertificate(der).tbs.toHex();

describe("signLeaf writes the profile bit for bit", () => {
  const ascii = (text: string): string => Buffer.from(text).toString("hex");
  const keyUsage = "300e0603551d0f0101ff0404030205a0";
  const purposes = "301d0603551d250416301406082b0601050507030106082b06010505070302";
  const basicConstraints = "300c0603551d130101ff04023000";
  const names = `30380603551d110101ff042e302c862a${ascii(uri)}`;
  const serial = "021100ffeeddccbbaa99887766554433221100";
  const ecdsaWithSha256 = "300a06082a8648ce3d040302";
  const issuer = `301831163014060355040a130d${ascii("cluster.local")}`;
  const validity = `3020170d${ascii("261101115800Z")}180f${ascii("20500101000000Z")}`;
  const length = (hex: string): string => (hex.length / 2).toString(16).padStart(4, "0");
  const sequence = (content: string): string => `3082${length(content)}${content}`;

  it("with an authority key identifier, as the issuer has a subject key identifier", () => {
    const keyIdentifier = root.certificate.subjectKeyIdentifier?.toHex() ?? "";
    expect(keyIdentifier).toHaveLength(40);
    const authorityKeyIdentifier = `301f0603551d23041830168014${keyIdentifier}`;
    const list = `${keyUsage}${purposes}${basicConstraints}${authorityKeyIdentifier}${names}`;
    const extensions = `a3819b308198${list}`;
    expect(list).toHaveLength(0x98 * 2);
    const head = `a003020102${serial}${ecdsaWithSha256}${issuer}${validity}3000${key.spki.toHex()}`;
    expect(signedHex(sign())).toBe(sequence(head + extensions));
  });

  it("without one if it has none", async () => {
    const issuer = { certificate: { ...root.certificate, subjectKeyIdentifier: undefined }, key: root.key };
    const hex = signLeaf({ template, issuer, serialNumber }).toHex();
    expect(hex).toContain(`${keyUsage}${purposes}${basicConstraints}${names}`);
  });

  it.each<[string, Uint8Array, string]>([
    ["the high bit set", Uint8Array.fromHex("80".padEnd(32, "0")), "02110080"],
    ["a zero octet in front", Uint8Array.fromHex("007f".padEnd(32, "1")), "020f7f11"],
    ["one octet", Uint8Array.of(5), "020105"],
  ])("with a serial number of %s", (_what, octets, expected) => {
    const hex = signedHex(signLeaf({ template, issuer: root, serialNumber: octets }));
    expect(hex.slice(18, 18 + expected.length)).toBe(expected);
  });

  it.each([
    ["a PrintableString", uri, "13"],
    ["a UTF8String where a character does not fit", `${uri}_`, "0c"],
    ["a UTF8String of more octets than characters", "ü".repeat(64), "0c"],
  ])("with the common name as %s", (_what, commonName, stringTag) => {
    const octets = ascii(commonName);
    const size = (octets.length / 2).toString(16).padStart(2, "0");
    expect(sign({ commonName }).toHex()).toContain(`0603550403${stringTag}${size === "80" ? "8180" : size}${octets}`);
  });

  it.each<[string, SubjectAltName[], string]>([
    ["DNS names", [{ kind: "dns", value: "a.example" }], `820961${ascii(".example")}`],
    ["IPv4 addresses", [{ kind: "ip", value: "192.0.2.1" }], "8704c0000201"],
    ["IPv4 in IPv6, shortened", [{ kind: "ip", value: "::ffff:192.0.2.1" }], "8704c0000201"],
    ["IPv6 addresses", [{ kind: "ip", value: "2001:db8::1" }], "871020010db8000000000000000000000001"],
    ["a comma, which is part of the name", [{ kind: "dns", value: "a,b" }], `8203${ascii("a,b")}`],
  ])("with %s", (_what, subjectAltNames, expected) => {
    expect(sign({ subjectAltNames }).toHex()).toContain(expected);
  });

  it("with names in the order of the template", () => {
    const subjectAltNames: SubjectAltName[] = [
      { kind: "dns", value: "b.example" },
      { kind: "uri", value: uri },
      { kind: "ip", value: "::1" },
      { kind: "dns", value: "a.example" },
    ];
    expect(parseCertificate(sign({ subjectAltNames })).subjectAltNames).toEqual(subjectAltNames);
  });
});

describe.each<[KeyType, string]>([
  ["RSA-2048", "rsa-sha256"],
  ["P-256", "ecdsa-sha256"],
  ["P-384", "ecdsa-sha384"],
  ["P-521", "ecdsa-sha512"],
  ["Ed25519", "ed25519"],
])("a %s CA", (type, algorithm) => {
  it("signs with the algorithm of its key, on the spot or on the thread pool", async () => {
    const ca = await testRoot({ type });
    for (const der of [
      signLeaf({ template, issuer: ca, serialNumber }),
      await signLeafAsync({ template, issuer: ca, serialNumber }),
    ]) {
      const certificate = parseCertificate(der);
      expect(certificate.signatureAlgorithm).toBe(algorithm);
      expect(signatureProblem(certificate, ca.certificate)).toBeUndefined();
    }
  });
});

describe("signLeaf refuses", () => {
  it.each<[string, () => Partial<SvidTemplate>]>([
    ["no names", () => ({ subjectAltNames: [] })],
    ["an empty name", () => ({ subjectAltNames: [{ kind: "uri", value: "" }] })],
    ["a name that is not ASCII", () => ({ subjectAltNames: [{ kind: "dns", value: "bücher.example" }] })],
    ["an IP address that is none", () => ({ subjectAltNames: [{ kind: "ip", value: "example" }] })],
    ["other names", () => ({ subjectAltNames: [{ kind: "other", tag: 1, der: Uint8Array.of(0x81, 0) }] })],
    ["an empty common name", () => ({ commonName: "" })],
    ["a common name of 65 characters", () => ({ commonName: "a".repeat(65) })],
    ["a common name that is not well-formed", () => ({ commonName: "\ud800" })],
    ["a validity that runs backwards", () => ({ notAfter: new Date("2020-01-01") })],
    ["a date that is none", () => ({ notAfter: new Date(Number.NaN) })],
    ["a date before 1970", () => ({ notBefore: new Date(-1) })],
    ["a date after 9999", () => ({ notAfter: new Date("+010000-01-01") })],
  ])("%s", (_why, parts) => {
    expect(() => sign(parts())).toThrow(code("template-invalid"));
  });

  it.each([
    ["zero", new Uint8Array(16)],
    ["none", new Uint8Array(0)],
    ["20 octets", new Uint8Array(20).fill(1)],
  ])("a serial number of %s", (_what, octets) => {
    expect(() => signLeaf({ template, issuer: root, serialNumber: octets })).toThrow(code("serial-number-invalid"));
  });

  it("an issuer that is no CA, or whose key is another", async () => {
    const leaf = await testLeaf(root);
    const notCa = { certificate: leaf.chain[0], key: leaf.key };
    expect(() => signLeaf({ template, issuer: notCa, serialNumber })).toThrow(code("issuer-unsuitable"));
    const otherKey = { certificate: root.certificate, key: await testKey() };
    await expect(signLeafAsync({ template, issuer: otherKey, serialNumber })).rejects.toBeInstanceOf(X509Error);
  });
});
