import { fromBinary, toJson } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { structBytes } from "./struct-bytes.ts";

test("whatever JSON there is, its octets are read as it", () => {
  const objects = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ noUnicodeString: false }));
  fc.assert(
    fc.property(objects, (object) => {
      const read = toJson(StructSchema, fromBinary(StructSchema, structBytes(object)));
      // As text: JSON knows no negative zero.
      expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(object)));
    }),
    { numRuns: 300 },
  );
});

test.each([0, 1, 126, 127, 128, 129, 1_000, 16_383, 16_384, 100_000, 2_097_152])(
  "text of %i letters is read as it",
  (length) => {
    const object = { outer: { list: ["é".repeat(length)] } };
    expect(toJson(StructSchema, fromBinary(StructSchema, structBytes(object)))).toEqual(object);
  },
);

test("what is no JSON is nothing, and half a character none", () => {
  const read = toJson(StructSchema, fromBinary(StructSchema, structBytes({ a: undefined, b: () => 1, c: "\ud800" })));
  expect(read).toEqual({ b: null, c: "\ufffd" });
});

test("what is nested too deeply for Envoy to read is nothing, and all around it stays", () => {
  const nest = (depth: number, inner: unknown): Readonly<Record<string, unknown>> => ({
    a: depth === 0 ? inner : nest(depth - 1, inner),
    b: 1,
  });
  const read = toJson(StructSchema, fromBinary(StructSchema, structBytes(nest(90, "x"))));
  expect(read).toEqual(nest(24, null));
});
