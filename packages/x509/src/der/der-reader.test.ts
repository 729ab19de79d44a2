import { describe, expect, it } from "vitest";
import { maxDerDepth } from "./der-cursor.ts";
import { DerReader } from "./der-reader.ts";
import { objectIdentifier } from "./object-identifier.ts";
import { tag } from "./tag.ts";

const read = (hex: string): DerReader => new DerReader(Uint8Array.fromHex(hex.replaceAll(" ", "")), "csr-malformed");
const malformed = expect.objectContaining({ name: "X509Error", code: "csr-malformed" });

type Case = [why: string, hex: string, action: (reader: DerReader) => unknown];

describe("identifier and length (X.690 sections 8.1.2, 8.1.3, 10.1)", () => {
  it.each<Case>([
    ["nothing", "", (r) => r.content(tag.octetString)],
    ["a tag alone", "04", (r) => r.content(tag.octetString)],
    ["another tag", "02 01 00", (r) => r.content(tag.octetString)],
    ["a high tag number", "1f 1f 00", (r) => r.content(0x1f)],
    ["indefinite length", "30 80 00 00", (r) => r.enter(tag.sequence)],
    ["reserved length octet FF", `04 ff ${"00".repeat(130)}`, (r) => r.content(tag.octetString)],
    ["length octets cut short", "04 82 01", (r) => r.content(tag.octetString)],
    ["five length octets", "04 85 00 00 00 00 01 00", (r) => r.content(tag.octetString)],
    ["long form for a short length", "04 81 01 00", (r) => r.content(tag.octetString)],
    ["a leading zero in the length", `04 82 00 80 ${"00".repeat(128)}`, (r) => r.content(tag.octetString)],
    ["content past the end", "04 03 00 00", (r) => r.content(tag.octetString)],
    ["four length octets past the end", "04 84 ff ff ff ff 00", (r) => r.content(tag.octetString)],
    [
      "an inner element past its parent",
      "30 03 04 02 00 00",
      (r) => [r.enter(tag.sequence), r.content(tag.octetString)],
    ],
    ["bytes left over", "05 00 00", (r) => [r.null(), r.finish()]],
    ["bytes left over inside", "30 03 05 00 00", (r) => [r.enter(tag.sequence), r.null(), r.leave()]],
    ["an element that was not left", "30 02 05 00", (r) => [r.enter(tag.sequence), r.null(), r.finish()]],
    ["an element of any kind that is missing", "", (r) => r.any()],
    ["a broken element inside one of any kind", "30 04 31 02 04 05", (r) => r.any()],
  ])("refuses %s", (_why, hex, action) => {
    expect(() => action(read(hex))).toThrow(malformed);
  });

  it.each([
    ["short", `04 7f ${"61".repeat(127)}`, 127],
    ["one octet", `04 81 80 ${"61".repeat(128)}`, 128],
    ["two octets", `04 82 01 00 ${"61".repeat(256)}`, 256],
    ["three octets", `04 83 01 00 00 ${"61".repeat(65536)}`, 65536],
  ])("reads lengths of the form: %s", (_form, hex, length) => {
    const reader = read(hex);
    expect(reader.content(tag.octetString)).toHaveLength(length);
    expect(reader.atEnd).toBe(true);
    expect(() => reader.finish()).not.toThrow();
  });

  it("follows only so many levels", () => {
    const nested = (levels: number): string =>
      Array.from({ length: levels }).reduce<string>((inner) => {
        const length = (inner.length / 2).toString(16).padStart(2, "0");
        return `30${length}${inner}`;
      }, "0500");
    expect(() => read(nested(maxDerDepth)).any()).not.toThrow();
    expect(() => read(nested(maxDerDepth + 1)).any()).toThrow(malformed);
  });
});

describe("values (X.690 sections 8.2 to 8.19, 11.1, 11.2)", () => {
  it.each<Case>([
    ["BOOLEAN that is neither 00 nor FF", "01 01 01", (r) => r.boolean()],
    ["BOOLEAN of two octets", "01 02 ff ff", (r) => r.boolean()],
    ["empty BOOLEAN", "01 00", (r) => r.boolean()],
    ["empty INTEGER", "02 00", (r) => r.unsignedInteger(20)],
    ["negative INTEGER", "02 01 80", (r) => r.unsignedInteger(20)],
    ["INTEGER with a zero octet too many", "02 02 00 7f", (r) => r.unsignedInteger(20)],
    ["INTEGER over the limit", `02 15 7f ${"00".repeat(20)}`, (r) => r.unsignedInteger(20)],
    ["INTEGER over 31 bits", "02 05 00 80 00 00 00", (r) => r.smallInteger()],
    ["BIT STRING without octets", "03 00", (r) => r.bitString()],
    ["BIT STRING of odd bits where octets belong", "03 02 01 80", (r) => r.bitString()],
    ["named bits without octets", "03 00", (r) => r.namedBits()],
    ["named bits with 8 unused", "03 02 08 80", (r) => r.namedBits()],
    ["named bits unused in no octet", "03 01 01", (r) => r.namedBits()],
    ["named bits with unused bits set", "03 02 05 b0", (r) => r.namedBits()],
    ["named bits over 32", "03 06 00 80 00 00 00 00", (r) => r.namedBits()],
    ["NULL with content", "05 01 00", (r) => r.null()],
    ["empty OBJECT IDENTIFIER", "06 00", (r) => r.objectIdentifier([])],
    ["OBJECT IDENTIFIER cut short", "06 02 2a 86", (r) => r.objectIdentifier([])],
    ["OBJECT IDENTIFIER with a padded arc", "06 03 2a 80 01", (r) => r.objectIdentifier([])],
    ["OBJECT IDENTIFIER that begins padded", "06 02 80 01", (r) => r.objectIdentifier([])],
    ["endless OBJECT IDENTIFIER", `06 41 ${"01".repeat(65)}`, (r) => r.objectIdentifier([])],
    ["a time of another tag", "16 0d 32363031303130303030305a", (r) => r.time()],
  ])("refuses %s", (_why, hex, action) => {
    expect(() => action(read(hex))).toThrow(malformed);
  });

  it("reads each kind", () => {
    expect(read("01 01 ff").boolean()).toBe(true);
    expect(read("01 01 00").boolean()).toBe(false);
    expect(read("02 01 00").unsignedInteger(1)).toEqual(Uint8Array.of(0));
    expect(read("02 02 00 80").unsignedInteger(1)).toEqual(Uint8Array.of(0x80));
    expect(read("02 04 7f ff ff ff").smallInteger()).toBe(0x7fffffff);
    expect(read("03 03 00 01 02").bitString()).toEqual(Uint8Array.of(1, 2));
    expect(read("03 02 05 a0").namedBits()).toBe(0xa0000000);
    expect(read("03 03 07 06 80").namedBits()).toBe(0x06800000);
    expect(read("03 05 00 00 00 00 01").namedBits()).toBe(1);
    expect(read("03 01 00").namedBits()).toBe(0);
    expect(() => read("05 00").null()).not.toThrow();
    expect(read("30 03 02 01 05").any()).toHaveLength(5);
  });

  it("goes into what octet and bit strings hold, and comes out behind it", () => {
    const reader = read("04 02 05 00 03 03 00 05 00 04 02 ff ff 05 00");
    reader.enter(tag.octetString);
    reader.null();
    expect(reader.atEnd).toBe(true);
    reader.leave();
    reader.enterBitString();
    reader.null();
    reader.leave();
    reader.enter(tag.octetString);
    reader.leaveUnread();
    reader.null();
    expect(() => reader.finish()).not.toThrow();
  });

  it("knows object identifiers by identity and spells out the others", () => {
    const known = objectIdentifier("2.5.29.17");
    expect(read("06 03 55 1d 11").objectIdentifier([objectIdentifier("2.5.29.19"), known])).toBe(known);
    expect(read("06 03 55 1d 12").objectIdentifier([known]).dotted).toBe("2.5.29.18");
    expect(read("06 09 2a 86 48 86 f7 0d 01 01 0b").objectIdentifier([]).dotted).toBe("1.2.840.113549.1.1.11");
  });

  it("gives views that end where their element ends", () => {
    const reader = read("04 02 61 62 04 01 63");
    expect(Buffer.from(reader.content(tag.octetString)).toString()).toBe("ab");
    const start = reader.position;
    reader.content(tag.octetString);
    expect(reader.since(start)).toEqual(Uint8Array.of(4, 1, 0x63));
    expect(reader.nextTag).toBe(-1);
  });
});
