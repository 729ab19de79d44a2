import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DocumentsError } from "./errors.ts";
import { parseWorkload } from "./workload.ts";

describe("parseWorkload", () => {
  it.each<[string, string, Record<string, string>]>([
    ["foo", "foo", {}],
    ["foo/", "foo", {}],
    ["foo/app=httpbin,version=v1", "foo", { app: "httpbin", version: "v1" }],
    ["foo/app.kubernetes.io/name=a_B.c-1,empty=", "foo", { "app.kubernetes.io/name": "a_B.c-1", empty: "" }],
  ])("reads %s", (text, namespace, labels) => {
    expect(parseWorkload(text)).toEqual({ namespace, labels: new Map(Object.entries(labels)) });
  });

  it.each([
    ["", '"" is no namespace'],
    ["Foo/app=a", '"Foo" is no namespace'],
    [`${"a".repeat(64)}/app=a`, "is no namespace"],
    ["foo/app", '"app" is no label such as app=httpbin'],
    ["foo/app=a,", '"" is no label'],
    ["foo/=a", '"" is no key of a label'],
    ["foo/a/b/c=d", '"a/b/c" is no key of a label'],
    ["foo/app=a=b", '"a=b" is no value of a label'],
    ["foo/app=-a", '"-a" is no value of a label'],
    ["foo/app=a,app=a", 'has the label "app" twice'],
    ["a".repeat(65_537), "is longer than 65536 characters"],
  ])("refuses %.40s", (text, message) => {
    expect(() => parseWorkload(text)).toThrow(DocumentsError);
    expect(() => parseWorkload(text)).toThrow(message);
  });

  it("throws nothing but its own error", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `foo/${text}`),
        ),
        (text) => {
          try {
            expect(parseWorkload(text).namespace.length).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toMatchObject({ name: "DocumentsError", code: "workload-malformed" });
          }
        },
      ),
    );
  });
});
