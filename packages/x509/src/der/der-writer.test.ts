import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DerReader } from "./der-reader.ts";
import { bitString, derNode, encodeDer, octetString, sequence, unsignedInteger } from "./der-writer.ts";
import { dottedText, objectIdentifier } from "./object-identifier.ts";
import { tag } from "./tag.ts";

const hex = (value: Parameters<typeof encodeDer>[0]): string => encodeDer(value).toHex();

describe("encodeDer", () => {
  it.each([
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65535, "0482ffff"],
    [65536, "0483010000"],
  ])("writes a length of %i in as few octets as it takes", (length, header) => {
    expect(hex(octetString(new Uint8Array(length))).slice(0, header.length)).toBe(header);
  });

  it("nests", () => {
    expect(hex(sequence(bitString(Uint8Array.of(7)), octetString(sequence())))).toBe("30080302000704023000");
    expect(hex(derNode(tag.set, [sequence(), Uint8Array.of(5, 0)]))).toBe("310430000500");
  });

  it.each([
    ["00", "020100"],
    ["000000", "020100"],
    ["7f", "02017f"],
    ["80", "02020080"],
    ["0080", "02020080"],
    ["007f", "02017f"],
    ["ff".repeat(16), `021100${"ff".repeat(16)}`],
  ])("writes the unsigned integer %s in its shortest form (X.690 section 8.3)", (octets, expected) => {
    expect(hex(unsignedInteger(Uint8Array.fromHex(octets)))).toBe(expected);
  });

  it("property: what is written is read back the same", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (octets) => {
        const der = encodeDer(sequence(unsignedInteger(octets), octetString(octets), bitString(octets)));
        const reader = new DerReader(der, "csr-malformed");
        reader.enter(tag.sequence);
        const number = BigInt(`0x${reader.unsignedInteger(400).toHex()}`);
        expect(number).toBe(BigInt(`0x${octets.toHex()}`));
        expect(reader.content(tag.octetString)).toEqual(octets);
        expect(reader.bitString()).toEqual(octets);
        reader.leave();
        reader.finish();
      }),
    );
  });
});

describe("objectIdentifier", () => {
  it.each([
    ["2.5.29.17", "0603551d11"],
    ["1.2.840.113549.1.1.11", "06092a864886f70d01010b"],
    ["1.3.101.112", "06032b6570"],
    ["0.9.2342.19200300.100.1.25", "060a0992268993f22c640119"],
  ])("encodes %s", (dotted, expected) => {
    expect(objectIdentifier(dotted).der.toHex()).toBe(expected);
    expect(dottedText(objectIdentifier(dotted).content)).toBe(dotted);
  });

  it("spells out arcs of any size (X.690 section 8.19)", () => {
    expect(dottedText(Uint8Array.fromHex("8837"))).toBe("2.999");
    expect(dottedText(Uint8Array.fromHex("6982e5b3a9c5d0f2a49d8aaeb6dcc3b4e0cf01"))).toMatch(/^2\.25\.[0-9]{20,}$/);
  });
});
