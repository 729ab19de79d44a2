import { generateKeyPairSync, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ecdsaSignatureToDer } from "./ecdsa-signature.ts";

describe("ecdsaSignatureToDer", () => {
  it.each([
    ["the shortest integers", `${"00".repeat(31)}01${"00".repeat(31)}02`, "3006020101020102"],
    ["zero", "00".repeat(64), "3006020100020100"],
    ["a set top bit", `80${"00".repeat(31)}${"00".repeat(31)}80`, `302702210080${"00".repeat(31)}02020080`],
    ["all bits", "ff".repeat(64), `3046022100${"ff".repeat(32)}022100${"ff".repeat(32)}`],
  ])("writes %s", (_, signature, der) => {
    expect(ecdsaSignatureToDer(Buffer.from(signature, "hex"), 32)?.toString("hex")).toBe(der);
  });

  it("uses the long form past 127 octets", () => {
    const der = ecdsaSignatureToDer(Buffer.alloc(132, 0x7f), 66);
    expect(der?.toString("hex")).toBe(`3081880242${"7f".repeat(66)}0242${"7f".repeat(66)}`);
  });

  it.each([0, 63, 65, 128])("refuses %d octets for P-256", (length) => {
    expect(ecdsaSignatureToDer(Buffer.alloc(length), 32)).toBeUndefined();
  });

  it.each([
    ["P-256", 32],
    ["P-384", 48],
    ["P-521", 66],
  ])("makes of every %s signature one that OpenSSL verifies", (namedCurve, integerBytes) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    fc.assert(
      fc.property(fc.uint8Array(), (message) => {
        const signature = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
        const der = ecdsaSignatureToDer(signature, integerBytes);
        expect(der !== undefined && verify("sha256", message, publicKey, der)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
