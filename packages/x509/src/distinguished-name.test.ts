import { describe, expect, it } from "vitest";
import { derNode, encodeDer, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { describeName } from "./distinguished-name.ts";

const malformed = expect.objectContaining({ name: "X509Error", code: "certificate-malformed" });

describe("describeName", () => {
  const name = (...attributes: [dotted: string, tag: number, hex: string][]): Uint8Array =>
    encodeDer(
      sequence(
        ...attributes.map(([dotted, tag, hex]) =>
          derNode(0x31, [sequence(objectIdentifier(dotted).der, derNode(tag, [Uint8Array.fromHex(hex)]))]),
        ),
      ),
    );

  it.each([
    ["nothing", name(), ""],
    ["the order of the certificate", name(["2.5.4.6", 0x13, "4445"], ["2.5.4.3", 0x0c, "c3bc"]), "C=DE,CN=ü"],
    ["types it has no name for", name(["1.2.3", 0x0c, "61"]), "1.2.3=a"],
    ["separators", name(["2.5.4.3", 0x0c, "612c4f3d622b5c"]), "CN=a\\,O\\=b\\+\\\\"],
    ["control characters", name(["2.5.4.3", 0x0c, "610a1b5b33316d"]), "CN=a??[31m"],
    ["UCS-2", name(["2.5.4.3", 0x1e, "00fc0061"]), "CN=üa"],
    ["half a UCS-2 character", name(["2.5.4.3", 0x1e, "00"]), "CN=#00"],
    ["strings of another kind", name(["2.5.4.3", 0x1c, "00000061"]), "CN=#00000061"],
  ])("writes %s", (_what, der, expected) => {
    expect(describeName(der)).toBe(expected);
  });

  it("joins the attributes of one RDN", () => {
    const attribute = (hex: string) =>
      sequence(objectIdentifier("2.5.4.3").der, derNode(0x0c, [Uint8Array.fromHex(hex)]));
    const der = encodeDer(
      sequence(derNode(0x31, [attribute("61"), attribute("62")]), derNode(0x31, [attribute("63")])),
    );
    expect(describeName(der)).toBe("CN=a+CN=b,CN=c");
  });

  it("refuses what is no name", () => {
    expect(() => describeName(Uint8Array.of(5, 0))).toThrow(malformed);
    expect(() => describeName(Uint8Array.of(0x30, 0, 0))).toThrow(malformed);
  });
});
