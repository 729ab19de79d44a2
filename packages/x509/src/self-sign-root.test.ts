import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseCertificate } from "./certificate.ts";
import { describeName } from "./distinguished-name.ts";
import { signatureProblem } from "./path-problems.ts";
import { selfSignRoot } from "./self-sign-root.ts";
import { randomSerialNumber } from "./serial-number.ts";
import { testKey } from "./testing.ts";

const notBefore = new Date("2026-11-01T12:00:00Z");
const notAfter = new Date("2036-10-29T12:00:00Z");
const serialNumber = Uint8Array.of(1, 2, 3);

describe("selfSignRoot", () => {
  it.each(["RSA-2048", "P-256"] as const)("makes Istio's root with a %s key", async (type) => {
    const key = await testKey(type, "root");
    const der = await selfSignRoot({ key, organization: "cluster.local", notBefore, notAfter, serialNumber });
    const root = parseCertificate(der);
    // RFC 7093 section 2, method 1, over the bits of the key: the header of the key's DER is not among them.
    const point = type === "P-256" ? key.spki.slice(-65) : key.spki.slice(24);
    const keyIdentifier = createHash("sha256").update(point).digest().subarray(0, 20);
    expect(root).toMatchObject({
      serialNumber: 0x010203n,
      notBefore,
      notAfter,
      isCa: true,
      pathLength: undefined,
      keyUsage: new Set(["keyCertSign"]),
      keyUsageCritical: true,
      extendedKeyUsage: undefined,
      subjectAltNames: [],
      authorityKeyIdentifier: undefined,
      unknownCriticalExtensions: [],
      publicKeyInfo: key.info,
    });
    expect(root.subjectKeyIdentifier?.toHex()).toBe(keyIdentifier.toString("hex"));
    expect(describeName(root.subject)).toBe("O=cluster.local");
    expect(root.issuer).toEqual(root.subject);
    expect(signatureProblem(root, root)).toBeUndefined();
    const extensions = "300e0603551d0f0101ff040403020204300f0603551d130101ff040530030101ff301d0603551d0e04160414";
    expect(root.tbs.toHex()).toContain(extensions + root.subjectKeyIdentifier?.toHex());
  });
});

describe("randomSerialNumber", () => {
  it("is 16 octets as the source gives them", () => {
    expect(randomSerialNumber((size) => new Uint8Array(size).fill(0xff))).toEqual(new Uint8Array(16).fill(0xff));
  });

  it.each([
    ["nothing but zeros", (size: number) => new Uint8Array(size)],
    ["too little", () => Uint8Array.of(1)],
  ])("refuses a source that gives %s", (_what, source) => {
    expect(() => randomSerialNumber(source)).toThrow(expect.objectContaining({ code: "serial-number-invalid" }));
  });
});
