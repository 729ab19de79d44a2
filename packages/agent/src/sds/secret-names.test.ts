import { describe, expect, it } from "vitest";
import { parseSecretName } from "./secret-names.ts";

describe("the name of a secret", () => {
  it.each([
    ["default", { kind: "workload-svid" }],
    ["ROOTCA", { kind: "trust-bundle" }],
    ["file-cert:/a/c.pem~/a/k.pem", { kind: "certificate-files", certificateFile: "/a/c.pem", keyFile: "/a/k.pem" }],
    ["file-root:/a/ca.pem", { kind: "root-file", rootFile: "/a/ca.pem" }],
    ["file-root:system", { kind: "system-roots" }],
  ])("%s", (name, reference) => {
    expect(parseSecretName(name)).toEqual(reference);
  });

  it.each([
    ["", "DEFAULT", "default ", "rootca", "*", "kubernetes://tls", "file-cert:", "file-cert:/a", "file-cert:/a~"],
    ["file-cert:~/a", "file-cert:/a~/b~/c", "file-root:", "file-root:/a~/b", "file-root:/a\0b", "file-other:/a"],
    [`file-root:/${"a".repeat(10_000)}`],
  ])("is none of %j", (...names) => {
    for (const name of names) expect(parseSecretName(name)).toBeUndefined();
  });
});
