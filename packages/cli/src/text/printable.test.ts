import { expect, it } from "vitest";
import { printable } from "./printable.ts";

it("leaves nothing that moves a cursor or turns text round", () => {
  expect(printable("a\u001b[2J\u0007\r\u009b\u007f\u202e\u0000b")).toBe(
    "a\\u001b[2J\\u0007\\u000d\\u009b\\u007f\\u202e\\u0000b",
  );
});

it("leaves lines, tabs and letters as they are", () => {
  expect(printable("é\t✗ 漢\n")).toBe("é\t✗ 漢\n");
});

it("leaves JSON the same JSON", () => {
  const value = { "\u009b": "\u001b\u202e\u007f\n" };
  expect(JSON.parse(printable(JSON.stringify(value, undefined, 2)))).toEqual(value);
});
