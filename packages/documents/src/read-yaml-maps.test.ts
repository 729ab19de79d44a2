import { expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { readYamlMaps } from "./read-yaml-maps.ts";

it("reads the maps of a text with their places", () => {
  const { maps, problems } = readYamlMaps("a: {b: [1, x, null, true]}\n---\n# nothing\n---\nc: 2\n", { file: "f" });
  expect(maps.map((map) => map.names())).toEqual([["a"], ["c"]]);
  expect(maps[0]?.json("a")).toEqual({ b: [1, "x", null, true] });
  expect(maps[0]?.json("b")).toBeUndefined();
  expect(maps[1]?.position("c")).toEqual({ file: "f", line: 5, column: 4 });
  expect(maps[1]?.position("d")).toEqual({ file: "f", line: 5, column: 1 });
  expect(maps[1]?.text("c")).toBeUndefined();
  expect(problems().map(describeProblem)).toEqual(["f:5:4: c is a number, and not text"]);
});

it("takes names that mean something in JavaScript as names", () => {
  const [map] = readYamlMaps('{"a": {"__proto__": {"b": 1}, "constructor": 2}}', { file: "f" }).maps;
  expect(JSON.stringify(map?.json("a"))).toBe('{"__proto__":{"b":1},"constructor":2}');
});

it.each([
  ["- a", "f:1:1: is not a map of fields"],
  ["a: [", "f:1:5: is not valid: "],
])("says what is wrong with %j", (text, problem) => {
  const { maps, problems } = readYamlMaps(text, { file: "f" });
  expect(maps).toEqual([]);
  expect(problems().map(describeProblem)[0]).toContain(problem);
});
