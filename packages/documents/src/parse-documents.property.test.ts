import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DocumentPosition } from "./document-problem.ts";
import { type Document, parseDocuments } from "./parse-documents.ts";
import { selectDocuments } from "./select-documents.ts";
import { parseWorkload } from "./workload.ts";

const head = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: a}\n";
const policy = head.replace("RequestAuthentication", "AuthorizationPolicy");
const peers = head.replace("RequestAuthentication", "PeerAuthentication");

/** Pieces of documents, of YAML and of nothing in particular. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          policy,
          peers,
          "spec: {",
          "mtls: {mode: STRICT}",
          "portLevelMtls: {80: {mode: DISABLE}}",
          ", ",
          "action: DENY",
        ],
        ...[
          "rules: [{}]",
          "rules: [{from: [{source: {principals: [a]}}]",
          "to: [{operation: {paths: ['/{*}']}}]",
          "}]",
        ],
        ...["when: [{key: source.ip, values: [1.2.3.4]}]", "null", "selector: {matchLabels: {app: b}}"],
        ...[head, "spec:\n", "  jwtRules:\n  - issuer: a\n", "    jwksUri: ", "https://a/", "    jwks: '{}'\n"],
        ...["  selector: ", "{matchLabels: {app: b}}\n", "  targetRefs: [", "{kind: Service, name: a}", "]\n"],
        ...[
          "    timeout: 1s\n",
          "    audiences: [",
          '""',
          "apiVersion: v1\nkind: List\nitems:\n",
          "- ",
          "---\n",
          "...\n",
        ],
        ...[
          "%YAML 1.1\n",
          "&a ",
          "*a",
          "<<: ",
          "!x ",
          "|\n",
          "'",
          '"',
          "\t",
          "\r\n",
          "\ufeff",
          "\u2028",
          "~",
          "{",
          "}",
          "#",
        ],
      ),
      fc.string({ unit: "binary", maxLength: 5 }),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(""));

describe("whatever the text, parseDocuments", () => {
  it("answers, and everything it speaks of is at a place in the text", () => {
    fc.assert(
      fc.property(text, (input) => {
        const lines = input.split("\n");
        const { documents, refused, warnings } = parseDocuments(input, { file: "f" });
        const rules = documents.flatMap((document) => partsOf(document));
        const problems = refused.flatMap((document) => document.problems);
        const positions = [...documents, ...rules, ...refused].map(({ position }) => position);
        for (const { file, line, column } of [...positions, ...problems, ...warnings]) {
          expect(file).toBe("f");
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        }
        for (const document of refused) {
          expect(document.problems.length).toBeGreaterThan(0);
          expect(document.problems.length).toBeLessThanOrEqual(100);
          for (const { message } of document.problems) expect(message.length).toBeLessThan(1_000);
        }
        selectDocuments([...documents, ...refused], parseWorkload("default/app=b"), { rootNamespace: "root" });
      }),
      { numRuns: 1_500 },
    );
  });

  it("reads what stands around it as if it stood alone", () => {
    const before = `${head.replace("name: a", "name: before")}spec: {jwtRules: [{issuer: a}]}\n`;
    const after = `${head.replace("name: a", "name: after")}spec: {selector: {matchLabels: {app: b}}}\n`;
    const alone = (input: string): unknown => withoutLines(parseDocuments(input, { file: "f" }).documents);
    const [first] = alone(before) as readonly unknown[];
    const [last] = alone(after) as readonly unknown[];
    // A text that ends in directives makes them those of the document after it.
    const within = text.filter((input) => !/^%/m.test(input));
    fc.assert(
      fc.property(within, (input) => {
        const around = parseDocuments(`${before}---\n${input}\n---\n${after}`, { file: "f" });
        const found = withoutLines(around.documents);
        expect(found[0]).toEqual(first);
        expect(found.at(-1)).toEqual(last);
        const between = parseDocuments(`---\n${input}\n---\n`, { file: "f" });
        expect(found.slice(1, -1)).toEqual(withoutLines(between.documents));
        expect(around.refused.length).toBe(between.refused.length);
      }),
      { numRuns: 500 },
    );
  });

  it("reads back what JSON.stringify writes", () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    const rule = fc.record(
      {
        issuer: fc.string({ minLength: 1 }),
        audiences: fc.array(fc.string({ minLength: 1 })),
        fromParams: fc.array(word),
      },
      { requiredKeys: ["issuer"] },
    );
    fc.assert(
      fc.property(word, fc.array(rule), fc.dictionary(word, word), fc.nat(3), (name, jwtRules, matchLabels, indent) => {
        const object = {
          apiVersion: "security.istio.io/v1",
          kind: "RequestAuthentication",
          metadata: { name },
          spec: { jwtRules, selector: { matchLabels } },
        };
        const parsed = parseDocuments(JSON.stringify(object, undefined, indent), { file: "f" });
        expect(parsed.refused).toEqual([]);
        expect(parsed.documents).toMatchObject([
          { name, jwtRules, selector: { matchLabels: new Map(Object.entries(matchLabels)) } },
        ]);
      }),
      { numRuns: 300 },
    );
  });
});

/** What has a position within a document. */
function partsOf(document: Document): readonly { readonly position: DocumentPosition }[] {
  switch (document.kind) {
    case "RequestAuthentication":
      return document.jwtRules;
    case "AuthorizationPolicy":
      return document.rules.flatMap((rule) => [rule, ...rule.from, ...rule.to, ...rule.when]);
    case "PeerAuthentication":
      return [];
  }
}

/** Documents with all positions left out. */
function withoutLines(documents: readonly Document[]): readonly unknown[] {
  return JSON.parse(
    JSON.stringify(documents, (key, value: unknown) => {
      if (key === "position") return undefined;
      return value instanceof Map ? [...value] : value;
    }),
  );
}
