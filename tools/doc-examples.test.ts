import { describe, expect, test } from "vitest";
import { docstringExamples, exportedValues, markdownExamples } from "./doc-examples.ts";

const source = `
/** No example. */
export const bound = 3;

/**
 * Doubles.
 * @example
 * \`\`\`ts
 * import { double } from "@signet/x";
 * double(2);
 * \`\`\`
 */
export function double(n: number): number {
  return n * 2;
}

/** Halves. */
export const halve = (n: number): number => n / 2;

export class Bare {}

export type Shape = { readonly a: string };
`;

describe("docstringExamples", () => {
  test("gives the code without stars, and the line it starts on", () => {
    expect(docstringExamples({ path: "x.ts", text: source })).toEqual([
      { path: "x.ts", line: 9, code: 'import { double } from "@signet/x";\ndouble(2);\n' },
    ]);
  });
});

describe("markdownExamples", () => {
  test("reads ts blocks only, indented ones too", () => {
    const text = "# x\n\n```ts\na();\n```\n\n```sh\nls\n```\n\n- item\n\n  ```ts\n  b();\n  ```\n";
    expect(markdownExamples({ path: "README.md", text })).toEqual([
      { path: "README.md", line: 4, code: "a();\n" },
      { path: "README.md", line: 14, code: "b();\n" },
    ]);
  });
});

describe("exportedValues", () => {
  test("lists functions and classes with their docstrings, and neither types nor constants", () => {
    const index = {
      path: "packages/x/src/index.ts",
      text: 'export { Bare, bound, double, halve, type Shape } from "./x.ts";\nexport type { Other } from "./x.ts";',
    };
    const values = exportedValues(index, (path) => (path === "packages/x/src/x.ts" ? source : undefined));
    const summary = values.map((value) => [value.name, value.docstring?.includes("@example") ?? "no docstring"]);
    expect(summary).toEqual([
      ["Bare", "no docstring"],
      ["double", true],
      ["halve", false],
    ]);
  });
});
