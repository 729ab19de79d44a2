import { parseSpiffeId } from "@signet/spiffe";
import {
  type Certificate,
  createCsr,
  generateKeyPair,
  parseCertificate,
  parseCsr,
  type SvidTemplate,
  type TrustBundle,
} from "@signet/x509";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { buildSvidTemplate } from "./build-svid-template.ts";
import { checkIssuedSvid, type IssuedSvidCheck } from "./check-issued-svid.ts";
import { certificateSubject, withLeaf } from "./testing/altered-leaf.ts";
import { type FakeSigningCa, fakeSigningCa } from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const other = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend");
const at = new Date("2026-11-01T12:00:00.500Z");
const lifetime = { notBefore: new Date("2026-11-01T11:58:00Z"), notAfter: new Date("2026-11-01T13:00:00Z") };
const signal = new AbortController().signal;
const tlsPurposes = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
const ocspSigning = "1.3.6.1.5.5.7.3.9";

let signingCa: FakeSigningCa;
let template: SvidTemplate;
let good: IssuedSvidCheck;

beforeAll(async () => {
  signingCa = await fakeSigningCa();
  template = await templateFor(spiffeId);
  good = await signed(template);
});

async function templateFor(id: typeof spiffeId): Promise<SvidTemplate> {
  const csr = parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId: id }));
  return buildSvidTemplate({ csr, spiffeId: id, lifetime });
}

/** What the check gets when `signedTemplate` was signed where `good.template` was asked for. */
async function signed(signedTemplate: SvidTemplate, by = signingCa): Promise<IssuedSvidCheck> {
  const chain = await by.sign({ template: signedTemplate }, signal);
  return { chain, template, trustBundle: bundleOf(by), at, verifySignature: false };
}

function bundleOf(ca: FakeSigningCa): TrustBundle {
  const bundle = ca.trustBundle.current();
  if (bundle === undefined) throw new Error("no trust bundle");
  return bundle;
}

function expectMismatch(check: IssuedSvidCheck): void {
  expect(() => checkIssuedSvid(check)).toThrow(expect.objectContaining({ code: "issued-svid-mismatch" }));
}

describe("checkIssuedSvid", () => {
  it.each([false, true])("accepts what the template says (signature verified: %s)", (verifySignature) => {
    expect(() => checkIssuedSvid({ ...good, verifySignature })).not.toThrow();
  });

  it("lets a signer that counts from when it signs end later by its tolerance, and not by a second more", async () => {
    const late = await signed({ ...template, notAfter: new Date(lifetime.notAfter.getTime() + 60_000) });
    const remote = { ...late, verifySignature: true };
    expect(() => checkIssuedSvid({ ...remote, notAfterToleranceMs: 60_000 })).not.toThrow();
    expectMismatch({ ...remote, notAfterToleranceMs: 59_000 });
    expectMismatch(remote);
  });

  it.each<{ name: string; change: () => Partial<SvidTemplate> | Promise<SvidTemplate> }>([
    { name: "another public key", change: async () => ({ ...template, spki: (await templateFor(spiffeId)).spki }) },
    { name: "another SPIFFE ID", change: () => ({ subjectAltNames: [{ kind: "uri", value: other }] }) },
    {
      name: "a second SPIFFE ID",
      change: () => ({ subjectAltNames: [...template.subjectAltNames, { kind: "uri", value: other }] }),
    },
    {
      name: "a DNS name besides",
      change: () => ({ subjectAltNames: [...template.subjectAltNames, { kind: "dns", value: "victim.example" }] }),
    },
    { name: "the name in another form", change: () => ({ subjectAltNames: [{ kind: "dns", value: spiffeId }] }) },
    { name: "a common name that was not asked for", change: () => ({ commonName: spiffeId }) },
    { name: "a later end", change: () => ({ notAfter: new Date("2026-11-01T13:00:01Z") }) },
    { name: "an earlier end", change: () => ({ notAfter: new Date("2026-11-01T12:59:59Z") }) },
    { name: "an earlier beginning", change: () => ({ notBefore: new Date("2026-11-01T11:57:59Z") }) },
    { name: "a beginning in the future", change: () => ({ notBefore: new Date("2026-11-01T12:00:01Z") }) },
  ])("refuses a certificate with $name", async ({ change }) => {
    expectMismatch(await signed({ ...template, ...(await change()) }));
  });

  it.each<{ name: string; change: Partial<Certificate> }>([
    { name: "that is a CA", change: { isCa: true } },
    { name: "without key usage", change: { keyUsage: undefined } },
    { name: "that may sign certificates", change: { keyUsage: new Set(["digitalSignature", "keyCertSign"]) } },
    {
      name: "that may sign revocation lists",
      change: { keyUsage: new Set(["digitalSignature", "keyEncipherment", "cRLSign"]) },
    },
    { name: "that may not sign a handshake", change: { keyUsage: new Set(["keyEncipherment"]) } },
    { name: "without extended key usage", change: { extendedKeyUsage: undefined } },
    { name: "for servers only", change: { extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] } },
    { name: "for any use", change: { extendedKeyUsage: ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"] } },
    { name: "for clients only", change: { extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"] } },
    { name: "for any use besides", change: { extendedKeyUsage: [...tlsPurposes, "2.5.29.37.0"] } },
    {
      name: "that may answer for the CA about revocation",
      change: { extendedKeyUsage: [...tlsPurposes, ocspSigning] },
    },
    { name: "with a common name", change: { subject: certificateSubject(["CN", "admin"]) } },
    {
      name: "with a common name among others",
      change: { subject: certificateSubject(["O", "a,CN=b"], ["CN", "admin"]) },
    },
    { name: "with an empty common name", change: { subject: certificateSubject(["CN", ""]) } },
    { name: "without names", change: { subjectAltNames: [] } },
    {
      name: "with a name of unknown kind",
      change: { subjectAltNames: [{ kind: "other", tag: 0xa0, der: Uint8Array.of(5, 0) }] },
    },
    { name: "with serial number zero", change: { serialNumber: 0n } },
    { name: "with a negative serial number", change: { serialNumber: -1n } },
    { name: "with a serial number of 21 octets", change: { serialNumber: 2n ** 160n } },
    { name: "with a critical extension nobody knows", change: { unknownCriticalExtensions: ["1.2.3"] } },
    { name: "of another issuer", change: { issuer: Uint8Array.of(0x30, 0) } },
    { name: "of another key of that issuer", change: { authorityKeyIdentifier: new Uint8Array(20) } },
  ])("refuses a certificate $name", ({ change }) => {
    expectMismatch({ ...good, chain: withLeaf(good.chain, change) });
    expectMismatch({ ...good, chain: withLeaf(good.chain, change), verifySignature: true });
  });

  it.each([
    ["already over", "2026-11-01T11:58:00Z", "2026-11-01T12:00:00Z"],
    ["not begun", "2026-11-01T12:00:01Z", "2026-11-01T13:00:00Z"],
  ])("refuses a template whose time is %s, though it was signed as it says", async (_, notBefore, notAfter) => {
    const wrong = { ...template, notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
    expectMismatch({ ...(await signed(wrong)), template: wrong });
  });

  it("asks for the common name that the template has", async () => {
    const withName = { ...template, commonName: spiffeId };
    const check = await signed(withName);
    expect(() => checkIssuedSvid({ ...check, template: withName })).not.toThrow();
    expectMismatch({ ...good, template: withName });
    expectMismatch({ ...check, template: { ...withName, commonName: other } });
  });

  it("lets a key elsewhere sign for a shorter time, never for longer", async () => {
    const shorter = await signed({ ...template, notAfter: new Date("2026-11-01T12:30:00Z") });
    expect(() => checkIssuedSvid({ ...shorter, verifySignature: true })).not.toThrow();
    const longer = await signed({ ...template, notAfter: new Date("2026-11-01T13:00:01Z") });
    expectMismatch({ ...longer, verifySignature: true });
  });

  it("compares several names whatever their order", async () => {
    const dns = { kind: "dns", value: "istiod.istio-system.svc" } as const;
    const ip = { kind: "ip", value: "127.0.0.1" } as const;
    const check = await signed({ ...template, subjectAltNames: [dns, ip] });
    expect(() => checkIssuedSvid({ ...check, template: { ...template, subjectAltNames: [ip, dns] } })).not.toThrow();
    expectMismatch({ ...check, template: { ...template, subjectAltNames: [ip, ip] } });
  });
});

describe("checkIssuedSvid and the path above the leaf", () => {
  it("refuses a leaf of another root of the same name", async () => {
    checkIssuedSvid(good);
    const stranger = await signed(template, await fakeSigningCa());
    expectMismatch({ ...stranger, trustBundle: good.trustBundle });
  });

  it("verifies the signature of a key elsewhere each time", () => {
    const signature = Uint8Array.from(good.chain[0].signature, (byte, index) => (index === 20 ? byte ^ 1 : byte));
    const tampered = { ...good, chain: withLeaf(good.chain, { signature }), verifySignature: true };
    expectMismatch({ ...tampered, trustBundle: { ...good.trustBundle } });
    checkIssuedSvid({ ...good, verifySignature: true });
    expectMismatch(tampered);
  });

  it("verifies the path again under another trust bundle object", async () => {
    const empty: TrustBundle = { ...good.trustBundle, authorities: bundleOf(await fakeSigningCa()).authorities };
    checkIssuedSvid(good);
    expectMismatch({ ...good, trustBundle: empty });
  });

  it("verifies the path again when other certificates stand above the leaf than before", () => {
    checkIssuedSvid(good);
    // More of them than the path validator takes: from memory, this would pass.
    const tooMany = Array<Certificate>(8).fill(good.chain[0]);
    expectMismatch({ ...good, chain: [good.chain[0], ...tooMany] });
  });

  it("refuses a leaf that outlives its issuer", async () => {
    const short = await fakeSigningCa({ notAfter: new Date("2026-11-01T12:30:00Z"), notBefore: lifetime.notBefore });
    const chain = withLeaf(
      await short.sign({ template: { ...template, notAfter: new Date("2026-11-01T12:30:00Z") } }, signal),
      {
        notAfter: template.notAfter,
      },
    );
    expectMismatch({ ...good, chain, trustBundle: bundleOf(short) });
  });

  it("verifies the path again when a certificate of it has expired since", async () => {
    const root = await testRoot({ notAfter: new Date("2026-11-01T12:30:00Z") });
    const { chain } = await testLeaf(await testIntermediate(root), { ...lifetime, spiffeId });
    const [{ spki }] = chain;
    const check = { ...good, chain, template: { ...template, spki }, trustBundle: root.trustBundle };
    checkIssuedSvid(check);
    checkIssuedSvid({ ...check, at: new Date("2026-11-01T12:30:00Z") });
    expectMismatch({ ...check, at: new Date("2026-11-01T12:30:01Z") });
  });

  it.each([false, true])(
    "holds every leaf to name constraints, not only the first (signature verified: %s)",
    async (verifySignature) => {
      const excluded = [{ kind: "uri", value: "victim.example" }] as const;
      const ca = await testIntermediate(await testRoot({ nameConstraints: { excluded } }));
      const under = async (id: string): Promise<IssuedSvidCheck> => {
        const { chain, spiffeId: name } = await testLeaf(ca, { ...lifetime, spiffeId: parseSpiffeId(id) });
        const names = [{ kind: "uri", value: name }] as const;
        const asked = { ...template, spki: chain[0].spki, subjectAltNames: names };
        return { ...good, chain, template: asked, trustBundle: ca.trustBundle, verifySignature };
      };
      const allowed = await under("spiffe://cluster.local/ns/demo/sa/frontend");
      checkIssuedSvid(allowed);
      expectMismatch(await under("spiffe://victim.example/ns/demo/sa/frontend"));
      expect(() => checkIssuedSvid(allowed)).not.toThrow();
    },
  );

  it("knows the certificates above the leaf by what they are, not by which object", async () => {
    const root = await testRoot();
    const { chain } = await testLeaf(await testIntermediate(root), { ...lifetime, spiffeId });
    const [leaf, ...above] = chain;
    const check = { ...good, template: { ...template, spki: leaf.spki }, trustBundle: root.trustBundle };
    checkIssuedSvid({ ...check, chain });
    const readAgain = above.map(({ der }) => parseCertificate(der));
    expect(() => checkIssuedSvid({ ...check, chain: [leaf, ...readAgain] })).not.toThrow();
  });
});
