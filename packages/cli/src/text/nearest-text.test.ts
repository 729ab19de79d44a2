import fc from "fast-check";
import { expect, it } from "vitest";
import { nearestText } from "./nearest-text.ts";

it.each<[string, readonly string[], string | undefined]>([
  ["https://a.example", ["https://b.example", "https://a.example/"], "https://b.example"],
  ["https://a.example/x", ["https://b.example", "https://a.example/y"], "https://a.example/y"],
  ["kitten", ["sitting"], undefined],
  ["kitten", ["mitten"], "mitten"],
  ["a", ["b"], undefined],
  ["", ["a"], undefined],
  ["abc", [], undefined],
  ["a".repeat(301), ["a".repeat(301)], undefined],
  ["abcdef", ["a".repeat(301), "abcdeg"], "abcdeg"],
])("%j among %j is nearest to %j", (text, candidates, nearest) => {
  expect(nearestText(text, candidates)).toBe(nearest);
});

it("finds a text with one character changed again, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 6, maxLength: 40 }), fc.nat(), (text, index) => {
      const position = index % text.length;
      const other = `${text.slice(0, position)}\u00e9${text.slice(position + 1)}`;
      expect(nearestText(other, ["\u0000".repeat(40), text])).toBe(text);
    }),
  );
});
