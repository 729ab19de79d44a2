import { describe, expect, test } from "vitest";
import { readDocumentedAccess } from "./documented-access.ts";

const document = ["# Vault", "```hcl", 'path "pki/sign/signet" {}', "```", "```json", '{ "a": 1 }', "```"];
const both = [...document, "", "```json", '{ "b": 2 }', "```", ""].join("\n");

describe("readDocumentedAccess", () => {
  test("reads the policy and the two roles", () => {
    expect(readDocumentedAccess(both)).toEqual({
      policy: 'path "pki/sign/signet" {}\n',
      role: { a: 1 },
      servingRole: { b: 2 },
    });
  });

  test("takes no document with other blocks than these", () => {
    expect(() => readDocumentedAccess(document.join("\n"))).toThrow("two json blocks");
    expect(() => readDocumentedAccess(both + both)).toThrow("exactly one hcl block");
  });
});
