import { describe, expect, it } from "vitest";
import { encodePem } from "./pem.ts";
import { testRoot } from "./testing.ts";
import { parseTrustBundle, trustBundlesEqual } from "./trust-bundle.ts";

const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });
const [one, two] = [await testRoot(), await testRoot({ trustDomain: "other.example" })];
const broken = encodePem("CERTIFICATE", Uint8Array.of(0x30, 0));

describe("parseTrustBundle", () => {
  it("keeps the text as it came", () => {
    const pem = `# roots\r\n${one.pem.replaceAll("\n", "\r\n")}\n\n${two.pem}`;
    const bundle = parseTrustBundle(pem);
    expect(bundle.pem).toBe(pem);
    expect(bundle.authorities.map(({ der }) => der)).toEqual([one.certificate.der, two.certificate.der]);
    expect(bundle.skipped).toEqual([]);
  });

  it("leaves out what is no certificate, and says so", () => {
    const bundle = parseTrustBundle(broken + one.pem + encodePem("X509 CRL", Uint8Array.of(5, 0)));
    expect(bundle.authorities).toHaveLength(1);
    expect(bundle.skipped).toEqual([
      expect.stringMatching(/^block 1: /),
      'block 3 is labelled "X509 CRL", not "CERTIFICATE"',
    ]);
  });

  it.each([
    ["trust-bundle-empty", "nothing that can be parsed", broken],
    ["trust-bundle-empty", "no certificate", encodePem("PRIVATE KEY", Uint8Array.of(5, 0))],
    ["pem-malformed", "no PEM", ""],
    ["pem-malformed", "a block that breaks off", `${one.pem}-----BEGIN CERTIFICATE-----\nMAA=\n`],
  ])("fails with %s for %s", (expected, _why, pem) => {
    expect(() => parseTrustBundle(pem)).toThrow(code(expected));
  });
});

it("a bundle of a great many broken blocks does not make a great message", () => {
  expect.assertions(1);
  try {
    parseTrustBundle(broken.repeat(5000));
  } catch (error) {
    expect(String(error).length).toBeLessThan(600);
  }
});

describe("trustBundlesEqual", () => {
  const equal = (a: string, b: string): boolean => trustBundlesEqual(parseTrustBundle(a), parseTrustBundle(b));

  it("compares certificates, not text, order or repetitions", () => {
    expect(equal(one.pem + two.pem, `# new\n${two.pem}${one.pem}${one.pem}`)).toBe(true);
    expect(equal(one.pem, one.pem + two.pem)).toBe(false);
    expect(equal(one.pem + two.pem, one.pem)).toBe(false);
    expect(equal(one.pem, two.pem)).toBe(false);
  });
});
