import { expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { createDocumentText } from "./document-text.ts";
import { createFieldReader } from "./field-reader.ts";
import { parseYaml } from "./parse-yaml.ts";

function readerOf(text: string) {
  const about = createDocumentText(text, "f");
  const [root] = parseYaml(text, about);
  if (root?.kind !== "map") throw new Error("not a map");
  return { reader: createFieldReader(root, { path: "", about }), problems: () => about.problems.map(describeProblem) };
}

it("tells which fields nobody asked for, by either of their names", () => {
  const { reader } = readerOf("fromHeaders: 1\nto_params: 2\nmisspelt: 3");
  reader.text("fromHeaders");
  reader.map("toParams");
  expect(reader.unread()).toEqual(["misspelt"]);
});

it("reports at the field, at the map where there is no such field, and by a path that can be read back", () => {
  const { reader, problems } = readerOf('spec:\n  "a.b/c": {x: 1}\n  rules: [{}, {to: y}]');
  const spec = reader.map("spec");
  spec?.report("is strange", "rules");
  spec?.report("is missing", "action");
  spec?.map("a.b/c")?.report("is odd");
  spec?.maps("rules")[1]?.report("is late", "to");
  expect(problems()).toEqual([
    "f:3:10: spec.rules is strange",
    "f:2:3: spec.action is missing",
    'f:2:12: spec["a.b/c"] is odd',
    "f:3:20: spec.rules[1].to is late",
  ]);
});

it("says of a field written twice in two spellings once", () => {
  const { reader, problems } = readerOf("trustDomain: a\ntrust_domain: b");
  expect([reader.holds("trustDomain"), reader.text("trustDomain"), reader.text("trustDomain")]).toEqual([
    true,
    "a",
    "a",
  ]);
  expect(problems()).toHaveLength(1);
});
