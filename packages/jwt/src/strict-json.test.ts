import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxJsonDepth, parseJsonObject } from "./strict-json.ts";

function nested(depth: number): string {
  return `${`{"a":`.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`;
}

describe("parseJsonObject", () => {
  it.each([
    ["", "not valid JSON"],
    ["{", "not valid JSON"],
    ["\ufeff{}", "not valid JSON"],
    ["{}{}", "not valid JSON"],
    ["{'a':1}", "not valid JSON"],
    ['{"a":1,}', "not valid JSON"],
    ["[]", "not a JSON object"],
    ["null", "not a JSON object"],
    ['"a"', "not a JSON object"],
    ['{"a":1,"a":1}', "an object has the same member twice"],
    ['{"a":1,"\\u0061":1}', "an object has the same member twice"],
    ['{"\\"":1,"b":"\\\\","\\u0022":1}', "an object has the same member twice"],
    ['{"a":{"b":1,"c":[],"b":2}}', "an object has the same member twice"],
    ['{"a":[{"b":1,"b":2}]}', "an object has the same member twice"],
    ['{"__proto__":1,"__proto__":2}', "an object has the same member twice"],
    [nested(maxJsonDepth + 1), `JSON is nested deeper than ${maxJsonDepth}`],
    [`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`, `JSON is nested deeper than ${maxJsonDepth}`],
  ])("refuses %j", (text, message) => {
    expect(() => parseJsonObject(text)).toThrow(new SyntaxError(message));
  });

  it.each([
    "{}",
    ' {"a" : [1, {"a" : "b, c"}, {"a": 2}], "b": {"a": "a"}} ',
    '{"a":"\\"a\\":","b":"\\\\","c":{"c":["a","a","a"]}}',
    '{"__proto__":{"exp":1}}',
    nested(maxJsonDepth),
  ])("reads %j as JSON.parse does", (text) => {
    expect(parseJsonObject(text)).toEqual(JSON.parse(text));
  });

  it("never quotes what it refuses", () => {
    expect(() => parseJsonObject('{"token": secret}')).toThrow(/^not valid JSON$/);
  });

  it("accepts every object that JSON.stringify writes, nested no deeper than allowed", () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }));
    fc.assert(
      fc.property(objects, fc.integer({ min: 0, max: 2 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseJsonObject(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("refuses every object whose first member is said again", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (name, others) => {
        const member = JSON.stringify({ [name]: 1 }).slice(1, -1);
        const rest = JSON.stringify(Object.fromEntries(Object.entries(others).filter(([key]) => key !== name))).slice(
          1,
          -1,
        );
        const text = `{${[member, ...(rest === "" ? [] : [rest]), member].join(",")}}`;
        expect(() => parseJsonObject(text)).toThrow("twice");
      }),
    );
  });
});
