import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import type { CertificateChain } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { createSignerRoots, type MeshCaCertificate, type SignerRootsOptions } from "./signer-roots.ts";

const signerName = "example.com/mesh";

function rootsOf(options: Partial<SignerRootsOptions> = {}) {
  const learned: string[] = [];
  const events = {
    rootLearned: ({ subject }: { subject: string }) => void learned.push(subject),
    probeFailed: () => {},
    leftBehind: () => {},
  };
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  return { roots: createSignerRoots({ signerName, ...options }, { clock, events }), learned, clock };
}

async function signer(name: string, validity: { notBefore?: Date; notAfter?: Date } = {}) {
  const root = await testRoot({ trustDomain: name, ...validity });
  const intermediate = await testIntermediate(root);
  const { chain } = await testLeaf(intermediate);
  return { root, withRoot: [...chain, root.certificate] as CertificateChain, withoutRoot: chain as CertificateChain };
}

const pems = (roots: { trustBundle: { current(): { pem: string } | undefined } }): string | undefined =>
  roots.trustBundle.current()?.pem;

describe("createSignerRoots", () => {
  it("holds every chain against the root file when there is one", async () => {
    const [right, wrong] = [await signer("right"), await signer("wrong")];
    const meshCertificates = createSource<readonly MeshCaCertificate[]>([
      { pem: wrong.root.pem, certSigners: [signerName] },
    ]);
    const { roots } = rootsOf({ rootPem: right.root.pem, meshCertificates });
    expect(roots.learns()).toBe(false);
    expect(roots.verify(right.withoutRoot).path).toHaveLength(3);
    expect(() => roots.verify(wrong.withRoot)).toThrow(expect.objectContaining({ code: "issued-svid-mismatch" }));
    expect(pems(roots)).toBe(right.root.pem);
  });

  it("takes the mesh config's certificates of this signer, and follows them", async () => {
    const [right, other, next] = [await signer("right"), await signer("other"), await signer("next")];
    const meshCertificates = createSource<readonly MeshCaCertificate[]>([
      { pem: other.root.pem, certSigners: ["example.com/other"] },
      { pem: "no PEM", certSigners: [signerName] },
      { pem: right.root.pem, certSigners: ["example.com/x", signerName] },
    ]);
    const { roots } = rootsOf({ meshCertificates });
    expect(pems(roots)).toBe(right.root.pem);
    expect(() => roots.verify(other.withRoot)).toThrow(expect.objectContaining({ code: "issued-svid-mismatch" }));
    const before = roots.trustBundle.current();
    meshCertificates.publish([{ pem: `# the same\n${right.root.pem}`, certSigners: [signerName] }]);
    expect(roots.trustBundle.current()).toBe(before);

    const stop = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { pem } of roots.trustBundle.changes(stop.signal)) seen.push(pem);
    })();
    const following = roots.follow(stop.signal);
    await tick();
    meshCertificates.publish([{ pem: next.root.pem, certSigners: [signerName] }]);
    await tick();
    stop.abort();
    await Promise.all([reading, following]);
    expect(seen).toEqual([right.root.pem, next.root.pem]);
    expect(roots.verify(next.withoutRoot).learned).toBe(false);
  });

  it("learns the CA at the end of a chain where nothing else is known", async () => {
    const { root, withRoot, withoutRoot } = await signer("learned");
    const { roots, learned } = rootsOf();
    expect(roots.learns()).toBe(true);
    expect(roots.trustBundle.current()).toBeUndefined();
    expect(roots.verify(withRoot)).toMatchObject({ learned: true });
    expect(learned).toEqual(["O=learned"]);
    expect(pems(roots)).toBe(root.pem);
    expect(roots.verify(withRoot)).toMatchObject({ learned: false });
    expect(roots.verify(withoutRoot)).toMatchObject({ learned: false });
  });

  it("learns an intermediate when that is all the signer shows, as istiod does", async () => {
    const { withoutRoot } = await signer("hidden");
    const { roots, learned } = rootsOf();
    expect(roots.verify(withoutRoot)).toMatchObject({ learned: true });
    expect(learned).toEqual(["O=intermediate"]);
  });

  it("keeps the roots that it learned before, but for those that have expired", async () => {
    const old = await signer("old", { notAfter: new Date("2026-11-22T13:00:00Z") });
    const [second, third] = [await signer("second"), await signer("third")];
    const { roots, clock } = rootsOf();
    roots.verify(old.withRoot);
    roots.verify(second.withRoot);
    expect(pems(roots)).toBe(second.root.pem + old.root.pem);
    clock.jump(7_200_000);
    roots.verify(third.withRoot);
    expect(pems(roots)).toBe(third.root.pem + second.root.pem);
  });

  it("does not grow beyond eight roots", async () => {
    const { roots } = rootsOf();
    for (let index = 0; index < 10; index++) roots.verify((await signer(`root ${index}`)).withRoot);
    expect(roots.trustBundle.current()?.authorities).toHaveLength(8);
  });

  it.each<[string, (made: { leaf: CertificateChain; stranger: TestCa }) => CertificateChain]>([
    ["a leaf alone", ({ leaf }) => [leaf[0]]],
    ["a leaf as its own root", ({ leaf }) => [leaf[0], leaf[0]]],
    ["a CA that signed none of it", ({ leaf, stranger }) => [leaf[0], stranger.certificate]],
  ])("learns nothing from %s", async (_, build) => {
    const { withoutRoot: leaf } = await signer("unknown");
    const stranger = await testRoot({ trustDomain: "stranger" });
    const { roots, learned } = rootsOf();
    expect(() => roots.verify(build({ leaf, stranger }))).toThrow(
      expect.objectContaining({ code: "issued-svid-mismatch" }),
    );
    expect(learned).toEqual([]);
    expect(roots.trustBundle.current()).toBeUndefined();
  });

  it("refuses a root file without a certificate", () => {
    expect(() => rootsOf({ rootPem: "none" })).toThrow(expect.objectContaining({ name: "X509Error" }));
  });
});

function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
