import type { Certificate } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import type { IssuerRecord } from "./mount-records.ts";
import { decideMountView, isSelfSigned, type MountView, type MountViewOutcome } from "./mount-view.ts";

const at = new Date("2026-11-01T12:00:00Z");

function record(ca: Pick<TestCa, "certificate">, ...above: readonly Certificate[]): IssuerRecord {
  const chain = [ca.certificate, ...above];
  return { id: "id", certificate: ca.certificate, chain, revoked: false, signs: true };
}

function decide(
  signing: IssuerRecord,
  issuers: readonly IssuerRecord[] = [signing],
  pinned?: TestCa,
): MountViewOutcome {
  return decideMountView({ signing, issuers, pinned: pinned?.trustBundle, at });
}

function viewOf(outcome: MountViewOutcome): MountView {
  if (outcome.kind === "refused") throw new Error(`${outcome.reason}: ${outcome.detail}`);
  return outcome.view;
}

function reasonOf(outcome: MountViewOutcome): string {
  return outcome.kind === "refused" ? outcome.reason : "view";
}

describe("decideMountView without pinned roots", () => {
  it("trusts the root of what signs first, then the others, each once", async () => {
    const [first, second] = [await testRoot(), await testRoot({ trustDomain: "second" })];
    const issuer = await testIntermediate(first);
    const signing = record(issuer, first.certificate);
    const others = [record(second), record(first), signing];
    const view = viewOf(decide(signing, others));
    expect(view.trustBundle.pem).toBe(first.pem + second.pem);
    expect(view.chain).toEqual([issuer.certificate]);
  });

  it("sends nothing above a leaf of a root", async () => {
    const root = await testRoot();
    expect(viewOf(decide(record(root))).chain).toEqual([]);
  });

  it("leaves out roots that are revoked, have expired, or are not CAs", async () => {
    const root = await testRoot();
    const old = await testRoot({ trustDomain: "old", notAfter: new Date("2026-10-31T00:00:00Z") });
    const revoked = { ...record(await testRoot({ trustDomain: "revoked" })), revoked: true };
    const leaf = await testLeaf(root);
    const others = [record(old), revoked, record({ certificate: leaf.chain[0] })];
    expect(viewOf(decide(record(root), others)).trustBundle.authorities).toEqual([root.certificate]);
  });

  it("leaves out a root that is revoked, also where it is above an issuer that is not", async () => {
    const [root, other] = [await testRoot(), await testRoot({ trustDomain: "other" })];
    const below = record(await testIntermediate(other), other.certificate);
    const others = [below, { ...record(other), revoked: true }];
    expect(viewOf(decide(record(root), others)).trustBundle.authorities).toEqual([root.certificate]);
    expect(reasonOf(decide(below, others))).toBe("issuer-untrusted");
  });

  it("does not take a certificate for a root because its names say so", async () => {
    const root = await testRoot();
    // The name of its issuer, and another's signature.
    const impostor = await testIntermediate(await testRoot({ trustDomain: "x" }), { organization: "x" });
    expect(Buffer.compare(impostor.certificate.subject, impostor.certificate.issuer)).toBe(0);
    expect(isSelfSigned(impostor.certificate)).toBe(false);
    expect(viewOf(decide(record(root), [record(impostor)])).trustBundle.authorities).toEqual([root.certificate]);
  });

  it("ends with the first certificate above the leaf that ends", async () => {
    const root = await testRoot({ notAfter: new Date("2030-01-01T00:00:00Z") });
    const issuer = await testIntermediate(root, { notAfter: new Date("2040-01-01T00:00:00Z") });
    expect(viewOf(decide(record(issuer, root.certificate))).notAfterLimit).toEqual(new Date("2030-01-01T00:00:00Z"));
  });

  it("finds the issuers above it in a chain that does not begin with the issuer", async () => {
    const root = await testRoot();
    const above = await testIntermediate(root, { organization: "above" });
    const issuer = await testIntermediate(above, { organization: "below" });
    const signing = { ...record(issuer), chain: [above.certificate, root.certificate] };
    expect(viewOf(decide(signing)).chain).toEqual([issuer.certificate, above.certificate]);
  });

  it("refuses an issuer above which there is no root", async () => {
    expect(reasonOf(decide(record(await testIntermediate(await testRoot()))))).toBe("issuer-untrusted");
  });

  it("refuses an issuer whose root has expired", async () => {
    const root = await testRoot({ notAfter: new Date("2026-10-31T00:00:00Z") });
    const issuer = await testIntermediate(root);
    expect(reasonOf(decide(record(issuer, root.certificate)))).toBe("issuer-untrusted");
  });
});

describe("decideMountView with pinned roots", () => {
  it("trusts them alone, whatever is on the mount", async () => {
    const [pinned, other] = [await testRoot(), await testRoot({ trustDomain: "other" })];
    const signing = record(pinned);
    expect(viewOf(decide(signing, [signing, record(other)], pinned)).trustBundle).toBe(pinned.trustBundle);
  });

  it("takes an intermediate whose root is not on the mount", async () => {
    const pinned = await testRoot();
    const issuer = await testIntermediate(pinned);
    expect(viewOf(decide(record(issuer), [], pinned)).chain).toEqual([issuer.certificate]);
  });

  it("refuses a root of the same name with another key", async () => {
    const [pinned, impostor] = [await testRoot(), await testRoot()];
    expect(reasonOf(decide(record(impostor), [], pinned))).toBe("issuer-untrusted");
    const below = await testIntermediate(impostor);
    expect(reasonOf(decide(record(below, impostor.certificate), [], pinned))).toBe("issuer-untrusted");
  });
});

describe("the issuer that signs", () => {
  it.each<[string, (root: TestCa) => Promise<IssuerRecord>, string]>([
    ["is revoked", async (root) => ({ ...record(root), revoked: true }), "issuer-unusable"],
    ["is not for issuing", async (root) => ({ ...record(root), signs: false }), "issuer-unusable"],
    ["is no CA", async (root) => record({ certificate: (await testLeaf(root)).chain[0] }), "issuer-unusable"],
    [
      "has expired",
      async (root) => record(await testIntermediate(root, { notAfter: new Date("2026-11-01T12:00:00Z") })),
      "issuer-expired",
    ],
    [
      "is not valid yet",
      async (root) => record(await testIntermediate(root, { notBefore: new Date("2026-11-01T12:00:01Z") })),
      "issuer-unusable",
    ],
  ])("is refused when it %s", async (_, make, reason) => {
    const root = await testRoot();
    expect(reasonOf(decide(await make(root), [], root))).toBe(reason);
  });

  it("is refused when a CA above it allows no intermediate between itself and a leaf", async () => {
    const root = await testRoot();
    const above = await testIntermediate(root, { organization: "above", pathLength: 0 });
    const issuer = await testIntermediate(above, { organization: "below" });
    const outcome = decide(record(issuer, above.certificate, root.certificate), [record(root)]);
    expect(outcome).toMatchObject({ reason: "issuer-untrusted" });
    const fits = await testIntermediate(root, { organization: "fits", pathLength: 0 });
    expect(reasonOf(decide(record(fits, root.certificate), [record(root)]))).toBe("view");
  });
});
