import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  kubernetesIdentityOf,
  kubernetesSpiffeId,
  matchSpiffeIds,
  matchTrustDomains,
  parseSpiffeId,
  parseTrustDomain,
  pathOf,
  SpiffeError,
  trustDomainOf,
} from "./index.ts";

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SpiffeError) return error.code;
    throw error;
  }
}

describe("parseSpiffeId", () => {
  it.each([
    ["http://cluster.local/a", "spiffe-id-malformed"],
    ["SPIFFE://cluster.local/a", "spiffe-id-malformed"],
    ["spiffe://", "trust-domain-malformed"],
    ["spiffe:///a", "trust-domain-malformed"],
    ["spiffe://Cluster.local/a", "trust-domain-malformed"],
    ["spiffe://cluster.local:443/a", "trust-domain-malformed"],
    ["spiffe://user@cluster.local/a", "trust-domain-malformed"],
    ["spiffe://x,victim.example,y/ns/a/sa/b", "trust-domain-malformed"],
    ["spiffe://cluster.local", "spiffe-id-without-path"],
    ["spiffe://cluster.local/", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a/", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a//b", "spiffe-id-malformed"],
    ["spiffe://cluster.local/./b", "spiffe-id-malformed"],
    ["spiffe://cluster.local/../b", "spiffe-id-malformed"],
    ["spiffe://cluster.local/%61", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a?b", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a#b", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a\n", "spiffe-id-malformed"],
    ["spiffe://cluster.local/a\u0000", "spiffe-id-malformed"],
    [`spiffe://${"a".repeat(256)}/a`, "trust-domain-too-long"],
    [`spiffe://cluster.local/${"a".repeat(2026)}`, "spiffe-id-too-long"],
  ])("refuses %j with %s", (text, code) => {
    expect(codeOf(() => parseSpiffeId(text))).toBe(code);
  });

  it.each([
    "spiffe://cluster.local/ns/demo/sa/frontend",
    "spiffe://a/A.b_c-9",
    `spiffe://cluster.local/${"a".repeat(2025)}`,
  ])("accepts %j unchanged", (text) => {
    expect(parseSpiffeId(text)).toBe(text);
  });

  it("takes an accepted ID apart and puts it together without loss", () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}$/);
    const domain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);
    fc.assert(
      fc.property(domain, fc.array(segment, { minLength: 1, maxLength: 6 }), (trustDomain, segments) => {
        const id = parseSpiffeId(`spiffe://${trustDomain}/${segments.join("/")}`);
        expect(`spiffe://${trustDomainOf(id)}${pathOf(id)}`).toBe(id);
      }),
    );
  });

  it("never accepts a character outside the SPIFFE alphabet", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const id = `spiffe://cluster.local/${text}`;
        if (codeOf(() => parseSpiffeId(id)) === undefined) expect(id).toMatch(/^spiffe:\/\/[a-z0-9._-]+(\/[\w.-]+)+$/);
      }),
    );
  });
});

describe("kubernetes identities", () => {
  const trustDomain = parseTrustDomain("cluster.local");

  it("names a service account and reads it back", () => {
    const identity = { trustDomain, namespace: "demo", serviceAccount: "frontend" };
    const id = kubernetesSpiffeId(identity);
    expect(id).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(kubernetesIdentityOf(id)).toEqual(identity);
  });

  it.each(["", "a/b", "..", "a,b", "a b", "a".repeat(254)])("refuses the namespace %j", (namespace) => {
    expect(codeOf(() => kubernetesSpiffeId({ trustDomain, namespace, serviceAccount: "x" }))).toBe(
      "kubernetes-name-malformed",
    );
  });

  it.each(["spiffe://a/ns/b", "spiffe://a/ns/b/sa/c/d", "spiffe://a/sa/b/ns/c"])("finds none in %s", (text) => {
    expect(kubernetesIdentityOf(parseSpiffeId(text))).toBeUndefined();
  });
});

describe("matchers", () => {
  const id = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

  it("match whole IDs and whole trust domains only", () => {
    expect(matchSpiffeIds([id])(id)).toBe(true);
    expect(matchSpiffeIds([parseSpiffeId(`${id}2`)])(id)).toBe(false);
    expect(matchTrustDomains([parseTrustDomain("cluster.local")])(id)).toBe(true);
    expect(matchTrustDomains([parseTrustDomain("cluster.loca")])(id)).toBe(false);
  });

  it("deny when nothing is accepted", () => {
    expect(matchSpiffeIds([])(id)).toBe(false);
    expect(matchTrustDomains([])(id)).toBe(false);
  });
});
