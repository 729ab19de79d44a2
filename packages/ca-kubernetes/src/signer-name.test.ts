import { describe, expect, it } from "vitest";
import { checkSignerName, signerNameOf } from "./signer-name.ts";

describe("checkSignerName", () => {
  it.each([
    ["example.com/mesh", true],
    ["clusterissuers.cert-manager.io/istio-system", true],
    ["example.com/a.b", true],
    ["example.com", false],
    ["example.com/", false],
    ["/mesh", false],
    ["mesh/mesh", false],
    ["example.com/mesh/more", false],
    ["example.com/Mesh", false],
    ["example.com/-mesh", false],
    ["example.com/me sh", false],
    [`example.com/${"a".repeat(64)}`, false],
  ])("of %s is %s", (name, expected) => {
    expect(checkSignerName(name)).toBe(expected);
  });
});

describe("signerNameOf", () => {
  it("joins domain and name as istiod does", () => {
    expect(signerNameOf("mesh", "example.com")).toBe("example.com/mesh");
  });

  it.each(["", "a/b", "../secrets", "A", "a".repeat(300), "*"])("refuses %j", (certSigner) => {
    expect(() => signerNameOf(certSigner, "example.com")).toThrow(expect.objectContaining({ code: "signer-refused" }));
  });

  it("refuses every name without a domain", () => {
    expect(() => signerNameOf("mesh", undefined)).toThrow(expect.objectContaining({ code: "signer-refused" }));
  });
});
