import { parseAttributeContext } from "@signet/authorizer";
import { parseDocuments, parseWorkload } from "@signet/documents";
import { describe, expect, test } from "vitest";
import { createFindWorkload, type WorkloadRules } from "./find-workload.ts";

const httpbin = "spiffe://cluster.local/ns/foo/sa/httpbin";

function find(
  asked: { readonly extension?: string; readonly principal?: string },
  rules: Partial<WorkloadRules> = {},
  text = "",
): string {
  const request = parseAttributeContext({
    destination: { principal: asked.principal },
    ...(asked.extension === undefined ? {} : { contextExtensions: { workload: asked.extension } }),
  });
  const { documents, refused } = parseDocuments(text, { file: "policies.yaml" });
  const findWorkload = createFindWorkload({ defaultWorkload: undefined, byPrincipal: new Map(), ...rules }, () => ({
    documents,
    refused,
    rootNamespace: "istio-system",
  }));
  const found = findWorkload(request);
  if (found.kind === "unknown") return `unknown: ${found.why}`;
  return `${found.workload.namespace}/${[...found.workload.labels].map((pair) => pair.join("=")).join(",")}`;
}

function policy(namespace: string, spec: string): string {
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: ${namespace}}\nspec: ${spec}\n---\n`;
}

const selecting = "{selector: {matchLabels: {app: httpbin}}, rules: [{}]}";

describe("the workload of a request", () => {
  const rules = {
    defaultWorkload: parseWorkload("default/app=x"),
    byPrincipal: new Map([[httpbin, parseWorkload("foo/app=httpbin")]]),
  };
  test.each<[string, Parameters<typeof find>, string]>([
    ["is what the route says", [{ extension: "bar/app=a", principal: httpbin }, rules], "bar/app=a"],
    ["is then what is known of its principal", [{ principal: httpbin }, rules], "foo/app=httpbin"],
    ["is then the default", [{ principal: "spiffe://cluster.local/ns/foo/sa/other" }, rules], "default/app=x"],
    ["is the default without a principal", [{}, rules], "default/app=x"],
    ["is then that of its namespace", [{ principal: httpbin }, {}, policy("foo", "{rules: [{}]}")], "foo/"],
    ["is that also where others look at labels", [{ principal: httpbin }, {}, policy("bar", selecting)], "foo/"],
  ])("%s", (_, args, expected) => {
    expect(find(...args)).toBe(expected);
  });

  test.each<[string, Parameters<typeof find>, string]>([
    ["where nothing says it", [{}], "no context extension"],
    ["where the route says it badly, default or not", [{ extension: "Foo" }, rules], "context extension is not valid"],
    [
      "where a document of its namespace looks at labels",
      [{ principal: httpbin }, {}, policy("foo", selecting)],
      "labels are not known",
    ],
    [
      "where one of the root namespace does",
      [{ principal: httpbin }, {}, policy("istio-system", selecting)],
      "labels are not known",
    ],
    [
      "where one that is refused does",
      [{ principal: httpbin }, {}, policy("foo", selecting.replace("rules", "rule"))],
      "labels are not known",
    ],
    ["where its principal names no namespace", [{ principal: "spiffe://cluster.local/vm/7" }], "names no namespace"],
    ["where its principal is odd", [{ principal: "spiffe://a/ns/foo/ns/bar/sa/c" }], "names no namespace"],
  ])("is not known %s", (_, args, why) => {
    expect(find(...args)).toContain(`unknown: `);
    expect(find(...args)).toContain(why);
  });
});
