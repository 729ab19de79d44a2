import { randomBytes } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { certificatePem, encodePem, type KeyPair, privateKeyPem } from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testLeaf, testRoot } from "@signet/x509/testing";
import * as vitest from "vitest";
import { describe, expect, it } from "vitest";
import { decideLifetime } from "../decide-lifetime.ts";
import { signingCaSuite } from "../testing.ts";
import { createPluggedInCa, type PluggedInCaFiles } from "./plugged-in-ca.ts";

const now = new Date("2026-11-01T12:00:00Z");
const clock = new FakeClock(now);
const past = { notBefore: new Date("2025-01-01"), notAfter: new Date("2026-01-01") };
const future = { notBefore: new Date("2027-01-01"), notAfter: new Date("2028-01-01") };

/** As Istio's makefile lays them out: the chain file ends in the root. */
function filesOf(ca: TestCa): PluggedInCaFiles {
  return {
    certificatePem: ca.pem,
    privateKeyPem: privateKeyPem(ca.key, "traditional"),
    chainPem: ca.chain.map(certificatePem).join("") + ca.trustBundle.pem,
    rootPem: ca.trustBundle.pem,
  };
}

function open(files: PluggedInCaFiles) {
  return createPluggedInCa(files, { clock, randomBytes });
}

async function underTwo(): Promise<TestCa> {
  return testIntermediate(await testIntermediate(await testRoot(), { organization: "upper" }), { pathLength: 0 });
}

const kinds: readonly { name: string; make: () => Promise<TestCa> }[] = [
  { name: "P-256", make: async () => testIntermediate(await testRoot()) },
  { name: "P-384", make: async () => testIntermediate(await testRoot({ type: "P-384" }), { type: "P-384" }) },
  { name: "RSA-2048", make: async () => testIntermediate(await testRoot({ type: "RSA-2048" }), { type: "RSA-2048" }) },
  { name: "Ed25519", make: async () => testIntermediate(await testRoot(), { type: "Ed25519" }) },
  { name: "two intermediates", make: underTwo },
  { name: "a root", make: () => testRoot() },
];

for (const { name, make } of kinds) {
  signingCaSuite(vitest, { name: `plugged-in CA (${name})`, create: async () => open(filesOf(await make())), clock });
}

describe("createPluggedInCa", () => {
  it("sends the certificates of cert-chain.pem in order, the root too where the file has it", async () => {
    const ca = await underTwo();
    const chain = open(filesOf(ca)).chain();
    expect(chain.map(certificatePem)).toEqual([...ca.chain.map(certificatePem), ca.trustBundle.pem]);
    const withoutRoot = open({ ...filesOf(ca), chainPem: ca.chain.map(certificatePem).join("") });
    expect(withoutRoot.chain().map(certificatePem)).toEqual(ca.chain.map(certificatePem));
  });

  it("hands out root-cert.pem byte for byte", async () => {
    const ca = await testIntermediate(await testRoot());
    const rootPem = `# the old root\r\n${(await testRoot()).pem}\n\n# the new root\n${ca.trustBundle.pem}\n \n`;
    expect(open({ ...filesOf(ca), rootPem }).trustBundle.current()?.pem).toBe(rootPem);
  });

  it("signs with the first certificate of ca-cert.pem", async () => {
    const ca = await testIntermediate(await testRoot());
    const signingCa = open({ ...filesOf(ca), certificatePem: ca.pem + ca.trustBundle.pem });
    expect(signingCa.signingKeyInfo()).toEqual(ca.key.info);
  });

  it("takes a root that signs with an empty chain", async () => {
    expect(open({ ...filesOf(await testRoot()), chainPem: "\n" }).chain()).toEqual([]);
  });

  it("vouches until the first certificate on the way to the root ends", async () => {
    const soon = new Date("2026-11-01T12:30:00Z");
    const later = new Date("2026-11-02T12:00:00Z");
    const upper = await testIntermediate(await testRoot(), { organization: "upper", notAfter: soon });
    expect(open(filesOf(await testIntermediate(upper, { notAfter: later }))).notAfterLimit()).toEqual(soon);
    const lower = await testIntermediate(await testRoot({ notAfter: later }), { notAfter: soon });
    expect(open(filesOf(lower)).notAfterLimit()).toEqual(soon);
  });

  it("cuts the default lifetime at each signature, not once", async () => {
    const signingCa = open(
      filesOf(await testIntermediate(await testRoot(), { notAfter: new Date("2026-11-03T12:00:00Z") })),
    );
    const notAfter = (at: Date) =>
      decideLifetime({
        requestedSeconds: 0n,
        limits: { defaultTtlMs: 86_400_000, maxTtlMs: 86_400_000 },
        now: at,
        notAfterLimit: signingCa.notAfterLimit() ?? at,
      }).notAfter.toISOString();
    expect(notAfter(now)).toBe("2026-11-02T12:00:00.000Z");
    expect(notAfter(new Date("2026-11-02T18:00:00Z"))).toBe("2026-11-03T12:00:00.000Z");
    expect(() => notAfter(new Date("2026-11-03T12:00:00Z"))).toThrow(expect.objectContaining({ code: "ca-expired" }));
  });

  it.each<{ name: string; files: (ca: TestCa) => Promise<Partial<PluggedInCaFiles>>; message: RegExp }>([
    { name: "without certificate", files: async () => ({ certificatePem: "" }), message: /^ca-cert\.pem/ },
    { name: "whose key is no key", files: async () => ({ privateKeyPem: "x" }), message: /^ca-key\.pem/ },
    {
      name: "whose key is another's",
      files: async () => ({ privateKeyPem: pemOf(await testKey()) }),
      message: /^ca-key\.pem is not the key/,
    },
    { name: "whose chain is no PEM", files: async () => ({ chainPem: "x" }), message: /^cert-chain\.pem/ },
    { name: "without roots", files: async () => ({ rootPem: "\n" }), message: /^root-cert\.pem/ },
    {
      name: "whose roots would give its key away",
      files: async (ca) => ({ rootPem: ca.trustBundle.pem + pemOf(ca.key) }),
      message: /^root-cert\.pem holds a private key$/,
    },
    {
      name: "whose roots Envoy could not all read",
      files: async (ca) => ({ rootPem: `${ca.trustBundle.pem}${encodePem("CERTIFICATE", Uint8Array.of(0x30, 0x00))}` }),
      message: /^root-cert\.pem holds a certificate that cannot be read/,
    },
    {
      name: "under another root of the same name",
      files: async () => ({ rootPem: (await testRoot()).pem }),
      message: /does not lead to root-cert\.pem/,
    },
    {
      name: "whose certificate no peer is given",
      files: async (ca) => ({ chainPem: ca.trustBundle.pem }),
      message: /over cert-chain\.pem: chain-untrusted/,
    },
  ])("refuses a set $name, and says which file", async ({ files, message }) => {
    const ca = await testIntermediate(await testRoot());
    const set = { ...filesOf(ca), ...(await files(ca)) };
    expect(() => open(set)).toThrow(
      expect.objectContaining({ code: "ca-material-invalid", message: expect.stringMatching(message) }),
    );
  });

  it.each<{ name: string; make: () => Promise<TestCa>; message: RegExp }>([
    {
      name: "has expired",
      make: async () => testIntermediate(await testRoot(), past),
      message: /expired at 2026-01-01/,
    },
    {
      name: "is not yet valid",
      make: async () => testIntermediate(await testRoot(), future),
      message: /not valid before 2027-01-01/,
    },
    { name: "is under an expired root", make: async () => testIntermediate(await testRoot(past)), message: /expired/ },
    {
      name: "is under an expired intermediate",
      make: async () => testIntermediate(await testIntermediate(await testRoot(), { ...past, organization: "upper" })),
      message: /expired/,
    },
    {
      name: "is deeper than its issuer allows",
      make: async () =>
        testIntermediate(await testIntermediate(await testRoot(), { pathLength: 0, organization: "upper" })),
      message: /path-too-long/,
    },
    { name: "is no CA", make: leafAsCa, message: /not a CA certificate/ },
  ])("refuses a signing certificate that $name", async ({ make, message }) => {
    const files = filesOf(await make());
    expect(() => open(files)).toThrow(
      expect.objectContaining({ code: "ca-material-invalid", message: expect.stringMatching(message) }),
    );
  });
});

describe("createPluggedInCa with a renewed certificate in cert-chain.pem only", () => {
  it.each([
    ["has expired", past],
    ["is not yet valid", future],
  ])("refuses a ca-cert.pem that %s", async (_, validity) => {
    const root = await testRoot();
    const stale = await testIntermediate(root, validity);
    const renewed = await testIntermediate(root, { key: stale.key });
    expect(() => open({ ...filesOf(renewed), certificatePem: stale.pem })).toThrow(
      expect.objectContaining({ code: "ca-material-invalid", message: expect.stringMatching(/^ca-cert\.pem/) }),
    );
  });
});

async function leafAsCa(): Promise<TestCa> {
  const root = await testRoot();
  const { chain, key } = await testLeaf(root, { spiffeId: parseSpiffeId("spiffe://cluster.local/ns/a/sa/b") });
  const [certificate] = chain;
  return { ...root, certificate, key, pem: certificatePem(certificate), chain: [certificate] };
}

function pemOf(key: KeyPair): string {
  return privateKeyPem(key, "pkcs8");
}
