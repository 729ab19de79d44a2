import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { parseMeshConfig } from "./mesh-config.ts";

function parse(text: string): unknown {
  const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
  return parsed.kind === "mesh-config" ? parsed.meshConfig : parsed.problems.map(describeProblem);
}

const nothing = { trustDomainAliases: [], caCertificates: [], extensionProviders: [] };

describe("what a text can do to its reader is bounded:", () => {
  const lines = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join("\n");

  it.each([
    ["more text than is read", "#".repeat(524_289), "is longer than 524288 characters"],
    ["aliases of aliases", `a0: &a0 [1]\n${lines(60, (n) => `a${n + 1}: &a${n + 1} [*a${n},*a${n}]`)}`, "values"],
    ["many values", `[${"1,".repeat(200_001)}]`, "has more than 200000 values"],
    ["flow lists", "[".repeat(100_000), ""],
    ["closed flow lists", "[".repeat(1_000) + "]".repeat(1_000), "is nested more than 64 deep"],
    ["flow maps", "{a: ".repeat(20_000), ""],
    ["block lists", "- ".repeat(100_000), ""],
    ["block maps", lines(100, (n) => `${" ".repeat(n)}a:`), "is nested more than 64 deep"],
    ["complex keys", "? ".repeat(100_000), ""],
    ["errors", "] ".repeat(100_000), ""],
    ["anchors", "&a ".repeat(100_000), ""],
    ["documents", "---\na: 1\n".repeat(50_000), "second document"],
  ])("%s", (_, text, message) => {
    const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
    expect(parsed.kind).toBe("refused");
    if (parsed.kind !== "refused") return;
    expect(parsed.problems.length).toBeLessThanOrEqual(100);
    expect(parsed.problems[0]?.message).toContain(message);
  });

  it("many keys, which are compared with each other by their names alone", () => {
    expect(parse(lines(40_000, (n) => `k${n}: 1`))).toEqual(nothing);
  });
});

describe("whatever the text, parseMeshConfig", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...["trustDomain", "trustDomainAliases", "caCertificates", "pem", "defaultConfig", "discoveryAddress"],
        ...[
          ": ",
          "\n",
          "- ",
          "  ",
          "[",
          "]",
          "{",
          "}",
          ",",
          "\t",
          "&a ",
          "*a",
          "!x ",
          "|",
          ">",
          "'",
          '"',
          "#",
          "---\n",
        ],
        ...["%YAML 1.1\n", "<<", "? ", "null", "1", "true", "\r\n", "\ufeff", "\\", "@", "a.example", "...\n"],
      ),
      fc.string({ unit: "binary", maxLength: 6 }),
    ),
    { maxLength: 40 },
  );

  it("answers, and every problem is at a place in the text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          pieces.map((parts) => parts.join("")),
          fc.string({ unit: "binary" }),
        ),
        (text) => {
          const parsed = parseMeshConfig(text, { file: "f" });
          if (parsed.kind === "mesh-config") return;
          expect(parsed.problems.length).toBeGreaterThan(0);
          const lines = text.split("\n");
          for (const { line, column, message } of parsed.problems) {
            expect(line).toBeGreaterThanOrEqual(1);
            expect(line).toBeLessThanOrEqual(lines.length);
            expect(column).toBeGreaterThanOrEqual(1);
            expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
            expect(message.length).toBeLessThan(1_000);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("reads back what JSON.stringify writes, wherever unknown fields are", () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(\.[a-z]{1,8})?$/);
    const config = fc.record(
      { trustDomain: name, trustDomainAliases: fc.array(name), rootNamespace: fc.stringMatching(/^[a-z]{1,8}$/) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(config, fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(4), (known, unknown, indent) => {
        const clean = Object.entries(unknown).filter(([key]) => !/^(trust|ca|default|root|<<)/.test(key));
        const text = JSON.stringify({ ...Object.fromEntries(clean), ...known }, undefined, indent);
        fc.pre(!text.includes('"<<"'));
        expect(parse(text)).toEqual({ ...nothing, ...known });
      }),
      { numRuns: 500 },
    );
  });
});
