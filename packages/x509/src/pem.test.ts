import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodePem, maxPemCharacters, nextPemBlock, parsePem, splitPem } from "./pem.ts";

const block = (label: string, body = "MAA="): string => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
const code = (name: string): unknown => expect.objectContaining({ name: "X509Error", code: name });

describe("splitPem (RFC 7468)", () => {
  it("returns every block in order and skips the text between", () => {
    const text = `Certificate:\n    Data:\n${block("CERTIFICATE")}\n# next\n${block("PRIVATE KEY", "BQA=")}trailing`;
    expect(splitPem(text).map(({ label, der }) => [label, der.toHex()])).toEqual([
      ["CERTIFICATE", "3000"],
      ["PRIVATE KEY", "0500"],
    ]);
  });

  it.each([
    ["CR LF", block("X").replaceAll("\n", "\r\n")],
    ["CR alone", block("X").replaceAll("\n", "\r")],
    ["spaces and tabs in the body", block("X", " M A\tA\n = ")],
    ["one line", "-----BEGIN X-----MAA=-----END X-----"],
    [
      "a block glued to the one before",
      "-----BEGIN X-----\nMAA=\n-----END X----------BEGIN X-----\nMAA=\n-----END X-----",
    ],
  ])("accepts %s", (_what, text) => {
    expect(splitPem(text)[0]?.der.toHex()).toBe("3000");
  });

  it.each([
    ["nothing", ""],
    ["no block", "just text"],
    ["an indented opening line", `  ${block("X")}`],
    ["no closing line", "-----BEGIN X-----\nMAA=\n"],
    ["another label in the closing line", "-----BEGIN X-----\nMAA=\n-----END Y-----\n"],
    ["an opening line inside a block", "-----BEGIN X-----\n-----BEGIN X-----\nMAA=\n-----END X-----\n"],
    ["an opening line without dashes", "-----BEGIN X\nMAA=\n"],
    ["an empty label", "-----BEGIN -----\nMAA=\n-----END -----\n"],
    ["a label of more than a line", "-----BEGIN X\nY-----\nMAA=\n-----END X\nY-----\n"],
    ["a label that may be a key", block("PRIMC4CAQAwBQYDK2VwBCIEIOh qPZh PRIVATE KEY")],
    ["a character that is not base64", block("X", "MA*=")],
    ["base64url", block("X", "-_8=")],
    ["missing padding", block("X", "MAA")],
    ["padding in the middle", block("X", "MA==MAA=")],
    ["bits left over", block("X", "MAB=")],
    ["headers, as in encrypted keys", block("X", "Proc-Type: 4,ENCRYPTED\n\nMAA=")],
    ["a good block before a broken one", `${block("X")}-----BEGIN X-----\n`],
  ])("refuses %s", (_why, text) => {
    expect(() => splitPem(text)).toThrow(code("pem-malformed"));
    expect(() => splitPem(text)).not.toThrow(/CAQAw/);
  });

  it("measures the text before it looks for blocks", () => {
    expect(() => splitPem(" ".repeat(maxPemCharacters + 1))).toThrow(code("pem-too-large"));
  });
});

describe("parsePem", () => {
  it("wants its label on every block", () => {
    expect(parsePem(block("X") + block("X"), "X")).toHaveLength(2);
    expect(() => parsePem(block("X") + block("Y"), "X")).toThrow(code("pem-malformed"));
    expect(() => parsePem(block("x"), "X")).toThrow(code("pem-malformed"));
  });
});

describe("nextPemBlock", () => {
  it("reads no further than the first block", () => {
    expect(nextPemBlock(`${block("X")}-----BEGIN broken`, 0)?.label).toBe("X");
    expect(nextPemBlock("nothing", 0)).toBeUndefined();
  });
});

describe("encodePem", () => {
  it("writes 64 columns and one newline at the end", () => {
    const text = encodePem("CERTIFICATE", new Uint8Array(49));
    expect(text).toBe(`-----BEGIN CERTIFICATE-----\n${"A".repeat(64)}\nAA==\n-----END CERTIFICATE-----\n`);
    expect(encodePem("X", new Uint8Array(0))).toBe("-----BEGIN X-----\n-----END X-----\n");
  });

  it("property: what is written is read back the same", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (der) => {
        expect(parsePem(encodePem("X", der), "X")).toEqual([new Uint8Array(der)]);
      }),
    );
  });

  it("takes a view for what it shows, not for the memory behind it", () => {
    expect(parsePem(encodePem("X", Uint8Array.of(1, 2, 3, 4).subarray(1, 3)), "X")).toEqual([Uint8Array.of(2, 3)]);
  });
});
