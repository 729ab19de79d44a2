import { beforeAll, describe, expect, it } from "vitest";
import { caConstraints, caKeyUsage } from "./ca-extensions.ts";
import type { CertificateChain } from "./certificate.ts";
import { at, leafOf, type TestAuthority, testAuthority, validity, verifyAuthorities } from "./test-authority.ts";
import { type TestCa, testIntermediate, testKey, testLeaf, testRoot } from "./testing.ts";
import { maxChainLength, maxSignaturesVerified, verifyChain } from "./verify-chain.ts";

const rejection = (code: string): unknown => expect.objectContaining({ kind: "rejected", code });

let root: TestCa;

beforeAll(async () => {
  root = await testRoot();
});

describe("verifyChain finds the path", () => {
  it("from a leaf under the root, and names it", async () => {
    const { chain } = await testLeaf(root);
    const result = verifyChain({ chain, roots: [root.certificate], at });
    expect(result).toEqual({ kind: "verified", path: [chain[0], root.certificate] });
  });

  it.each(["RSA-2048", "P-256", "P-384", "P-521", "Ed25519"] as const)("under a %s root", async (type) => {
    const ca = await testRoot({ type });
    const { chain } = await testLeaf(await testIntermediate(ca));
    expect(verifyChain({ chain, roots: [ca.certificate], at }).kind).toBe("verified");
  });

  it("over intermediates in any order, with strangers, repetitions and the root itself among them", async () => {
    const upper = await testIntermediate(root, { organization: "upper" });
    const lower = await testIntermediate(upper, { organization: "lower" });
    const { chain } = await testLeaf(lower);
    const stranger = await testRoot({ trustDomain: "stranger" });
    const mixed: CertificateChain = [
      chain[0],
      root.certificate,
      stranger.certificate,
      upper.certificate,
      lower.certificate,
      lower.certificate,
    ];
    const result = verifyChain({ chain: mixed, roots: [stranger.certificate, root.certificate], at });
    expect(result).toEqual({
      kind: "verified",
      path: [chain[0], lower.certificate, upper.certificate, root.certificate],
    });
  });

  it("past a root of the same name, whether key identifiers tell them apart or not", async () => {
    const other = await testRoot();
    const { chain } = await testLeaf(root);
    expect(verifyChain({ chain, roots: [other.certificate, root.certificate], at }).kind).toBe("verified");
    const [one, two] = [await testAuthority({ name: "same" }), await testAuthority({ name: "same" })];
    expect(verifyAuthorities([await leafOf(two)], [one, two]).kind).toBe("verified");
    expect(verifyAuthorities([await leafOf(one)], [one, two]).kind).toBe("verified");
  });

  it("past a root that expired, to the one renewed with the same key", async () => {
    const old = await testAuthority({ name: "root", notAfter: new Date("2026-01-01") });
    const renewed = await testAuthority({ name: "root", key: old.key });
    expect(verifyAuthorities([await leafOf(old)], [old, renewed])).toMatchObject({
      path: [{}, { notAfter: validity.notAfter }],
    });
  });

  it("from a renewed root to the one before it, of the same name and key, which has signed it as well", async () => {
    const old = await testAuthority({ name: "root" });
    const renewed = await testAuthority({ name: "root", key: old.key, notAfter: new Date("2046-01-01T00:00:00Z") });
    expect(verifyAuthorities([renewed], [old]).kind).toBe("verified");
    const forged = await testAuthority({ name: "root", key: old.key, signer: (await testRoot()).key });
    expect(verifyAuthorities([forged], [old])).toEqual(rejection("signature-invalid"));
  });

  it("over a cross-signed root: the new root vouched for by the old one", async () => {
    const [oldRoot, newRoot] = [await testAuthority({ name: "old" }), await testAuthority({ name: "new" })];
    const cross = await testAuthority({ name: "new", key: newRoot.key, issuer: oldRoot });
    const leaf = await leafOf(newRoot);
    expect(verifyAuthorities([leaf, cross], [oldRoot]).kind).toBe("verified");
    expect(verifyAuthorities([leaf, cross], [newRoot]).kind).toBe("verified");
    expect(verifyAuthorities([leaf], [oldRoot])).toEqual(rejection("chain-untrusted"));
  });

  it("to an anchor that is not self-signed", async () => {
    const intermediate = await testAuthority({ name: "intermediate", issuer: root });
    expect(verifyAuthorities([await leafOf(intermediate)], [intermediate]).kind).toBe("verified");
  });

  it("from a certificate that is an anchor itself", () => {
    expect(verifyAuthorities([root], [root])).toEqual({ kind: "verified", path: [root.certificate] });
    expect(verifyAuthorities([root], [root], new Date("2046-01-01"))).toEqual(rejection("certificate-expired"));
  });
});

describe("path length (RFC 5280 sections 4.2.1.9 and 6.1.4 (l) and (m))", () => {
  it.each([
    [0, 0, "verified"],
    [0, 1, "path-too-long"],
    [1, 1, "verified"],
    [1, 2, "path-too-long"],
    [undefined, 3, "verified"],
  ])("a limit of %s with %i intermediates below: %s", async (limit, count, expected) => {
    const top = await testAuthority({ name: "top", extensions: [caKeyUsage, caConstraints(limit)] });
    let last = top;
    const above: TestAuthority[] = [];
    for (let index = 0; index < count; index++) {
      last = await testAuthority({ name: `ca ${index}`, issuer: last });
      above.unshift(last);
    }
    const result = verifyAuthorities([await leafOf(last), ...above], [top]);
    expect(result).toEqual(expected === "verified" ? expect.objectContaining({ kind: expected }) : rejection(expected));
  });

  it("holds for the limit of an intermediate, and counts neither self-issued certificates nor a leaf that is a CA", async () => {
    const limited = await testAuthority({ name: "limited", issuer: root, extensions: [caKeyUsage, caConstraints(0)] });
    const selfIssued = await testAuthority({ name: "limited", issuer: limited });
    const below = await testAuthority({ name: "below", issuer: limited });
    expect(verifyAuthorities([await leafOf(selfIssued), selfIssued, limited], [root]).kind).toBe("verified");
    expect(verifyAuthorities([below, limited], [root]).kind).toBe("verified");
    expect(verifyAuthorities([await leafOf(below), below, limited], [root])).toEqual(rejection("path-too-long"));
  });
});

describe("limits", () => {
  it("takes 8 certificates and not one more", async () => {
    const above: TestAuthority[] = [];
    let last: TestAuthority = root;
    for (let index = 0; index < maxChainLength; index++) {
      last = await testAuthority({ name: `ca ${index}`, issuer: last });
      above.unshift(last);
    }
    expect(verifyAuthorities([await leafOf(last), ...above], [root])).toEqual(rejection("chain-too-long"));
    expect(verifyAuthorities(above, [root])).toMatchObject({ kind: "verified", path: { length: maxChainLength + 1 } });
  });

  it("ends where issuers go round in circles", async () => {
    const [one, two] = [await testKey(), await testKey()];
    const oneByTwo = await testAuthority({
      name: "one",
      key: one,
      issuer: await testAuthority({ name: "two", key: two }),
    });
    const twoByOne = await testAuthority({
      name: "two",
      key: two,
      issuer: await testAuthority({ name: "one", key: one }),
    });
    expect(verifyAuthorities([await leafOf(oneByTwo), oneByTwo, twoByOne], [root])).toEqual(
      rejection("chain-untrusted"),
    );
  });

  it("goes through a CA only once, however many certificates it has", async () => {
    const key = await testKey();
    const again = await Promise.all(Array.from({ length: 7 }, () => testAuthority({ name: "again", key })));
    const leaf = await leafOf(again[0] ?? root);
    expect(verifyAuthorities([leaf, ...again], [root])).toEqual(rejection("chain-untrusted"));
  });

  it("finds the root that the key identifier names among more roots of one name than it would try", async () => {
    const strangers = await Promise.all(Array.from({ length: maxSignaturesVerified + 1 }, () => testRoot()));
    const { chain } = await testLeaf(root);
    const roots = [...strangers, root].map(({ certificate }) => certificate);
    expect(verifyChain({ chain, roots, at })).toMatchObject({ kind: "verified", path: { length: 2 } });
  });

  it("gives up after a number of signatures, however many paths there might be", async () => {
    // Seven CAs of one name, each of which every other may have signed, as far as names and key identifiers tell.
    const keys = await Promise.all(Array.from({ length: 7 }, () => testKey()));
    const [signer] = keys;
    const same = await Promise.all(keys.map((key) => testAuthority({ name: "same", key, ...(signer && { signer }) })));
    const roots = await Promise.all(
      Array.from({ length: maxSignaturesVerified }, async () => testAuthority({ name: "same", key: await testKey() })),
    );
    const [first] = same;
    const leaf = await leafOf(first ?? root);
    expect(verifyAuthorities([leaf, ...same], roots)).toEqual(rejection("chain-too-complex"));
    expect(verifyAuthorities([leaf, ...same], same.slice(0, 1)).kind).toBe("verified");
  });
});

it("the detail quotes no more of a subject than people read", async () => {
  const leaf = await testAuthority({ name: "n".repeat(60_000), issuer: root, notAfter: new Date("2026-01-01") });
  const result = verifyAuthorities([leaf], [root]);
  expect(result).toMatchObject({ code: "certificate-expired" });
  expect(result.kind === "rejected" ? result.detail.length : 0).toBeLessThan(300);
});

it("the detail says which certificate, and holds none", async () => {
  const { chain } = await testLeaf(root, { notAfter: new Date("2026-01-01T00:00:00Z") });
  expect(verifyChain({ chain, roots: [root.certificate], at })).toEqual({
    kind: "rejected",
    code: "certificate-expired",
    detail: expect.stringMatching(/^certificate [0-9a-f]+ \(no subject\) expired at 2026-01-01T00:00:00.000Z$/),
  });
});
