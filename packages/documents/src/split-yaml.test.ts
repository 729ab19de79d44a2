import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitYaml } from "./split-yaml.ts";

function parts(text: string): readonly string[] {
  return splitYaml(text).map(({ start, end }) => text.slice(start, end));
}

describe("splitYaml finds", () => {
  it.each<[string, string, readonly string[]]>([
    ["one document without a marker", "a: 1\n", ["a: 1\n"]],
    ["documents between markers", "---\na: 1\n---\nb: 2\n", ["---\na: 1\n", "---\nb: 2\n"]],
    ["a document on the line of its marker", "--- a\n--- b", ["--- a\n", "--- b"]],
    ["none in comments, space and markers", "# x\n---\n\n---   # y\n...\n\t\n---", []],
    ["the comments before a document apart from it", "# x\n---\na: 1", ["---\na: 1"]],
    ["documents that end with three dots", "a: 1\n...\nb: 2\n...\n", ["a: 1\n...\n", "b: 2\n...\n"]],
    ["directives with the document after them", "a\n...\n%YAML 1.1\n---\nb\n", ["a\n...\n", "%YAML 1.1\n---\nb\n"]],
    ["directives after a document that had a marker", "---\na\n...\n%a\n---\nb\n", ["---\na\n...\n", "%a\n---\nb\n"]],
    ["a line of % within a document", "---\n%a\n---\nb\n", ["---\n%a\n", "---\nb\n"]],
    [
      "a marker within quotes, as the end of what they began",
      '---\na: "b\n---\nc: d\n',
      ['---\na: "b\n', "---\nc: d\n"],
    ],
    ["lines that only begin like a marker", "-----BEGIN X-----\n---a\n....\n", ["-----BEGIN X-----\n---a\n....\n"]],
    ["markers before a carriage return", "---\r\na\r\n---\r\nb", ["---\r\na\r\n", "---\r\nb"]],
    ["no line where JavaScript's regular expressions see one", "a\u2028---\nb", ["a\u2028---\nb"]],
  ])("%s", (_, text, expected) => expect(parts(text)).toEqual(expected));
});

it("keeps every line that is no comment, in order and once, whatever the text", () => {
  const line = fc.constantFrom("---", "...", "%YAML 1.2", "a: 1", "# c", "", " ", "--- x", "'", "|", "\ufeff---");
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const text = lines.join("\n");
      const kept = parts(text).join("").split("\n");
      const content = (all: readonly string[]): readonly string[] =>
        all.filter((each) => /^([^-.#%\s]|--- x)/.test(each));
      expect(content(kept)).toEqual(content(lines));
      let last = 0;
      for (const { start, end } of splitYaml(text)) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        last = end;
      }
    }),
    { numRuns: 500 },
  );
});
