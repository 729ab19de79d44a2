import { randomBytes, sign } from "node:crypto";
import { CaError, type CaErrorCode, type Caller, checkCsr, issueSvid, loadSelfSignedCa } from "@signet/ca";
import { buildTestCsr, memoryCaStateStore, recordingEvents } from "@signet/ca/testing";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { createCsr, encodePem, generateKeyPair, parseCsr, parsePem, verifySvid } from "@signet/x509";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bounded, fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { type DerTree, readTrees, writeTrees } from "./support/der-tree.ts";
import { mutatedDer, rearrangedDer } from "./support/mutate-der.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const trustDomain = parseTrustDomain("cluster.local");
const caller: Caller = { spiffeId, source: "token" };
const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
const limits = { defaultTtlMs: 3_600_000, maxTtlMs: 86_400_000 };
const signal = new AbortController().signal;
const key = await generateKeyPair("P-256");
const signingCa = await loadSelfSignedCa(
  { store: memoryCaStateStore(), trustDomain, keyType: "P-256", ttlMs: 315_360_000_000 },
  { clock, randomBytes },
);
const trustBundle = signingCa.trustBundle.current();

const hostile = {
  commonName: "admin",
  organization: "system:masters",
  subjectAltNames: [
    { kind: "uri", value: "spiffe://cluster.local/ns/victim/sa/admin" },
    { kind: "dns", value: "victim.example" },
    { kind: "ip", value: "192.0.2.1" },
  ],
  ca: true,
} as const;

const samples = [
  createCsr({ key, spiffeId }),
  buildTestCsr({ key, ...hostile }),
  buildTestCsr({ key: await generateKeyPair("Ed25519"), ...hostile }),
  buildTestCsr({ key: await generateKeyPair("RSA-2048"), commonName: "admin" }),
  buildTestCsr({ key: await generateKeyPair("P-521") }),
].flatMap((pem) => parsePem(pem, "CERTIFICATE REQUEST"));

const none: DerTree = { tag: 0x30, prefix: new Uint8Array(0), children: undefined, content: new Uint8Array(0) };

/** The part of a CSR that is signed. */
function infoOf(der: Uint8Array): DerTree {
  const [info] = readTrees(der)?.[0]?.children ?? [];
  if (info === undefined) throw new Error("no CSR");
  return info;
}

const genuine = new Set(samples.map((der) => Buffer.from(writeTrees([infoOf(der)])).toString("hex")));
const ours = samples.slice(0, 2).map(infoOf);
const part = (index: number): Uint8Array[] =>
  ours.map(({ children = [] }) => writeTrees(children.slice(index, index + 1)));
const [version, , spki] = ours[0]?.children ?? [];

/** What `key` is asked to sign: any subject and any attributes about that key, or something else altogether. */
const signedParts: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.oneof(fc.constantFrom(...part(1)), rearrangedDer(part(1))), rearrangedDer(part(3)))
      .map(([subject, attributes]) => {
        const children = [version, ...(readTrees(subject) ?? []), spki, ...(readTrees(attributes) ?? [])];
        return writeTrees([{ ...(ours[0] ?? none), children: children.filter((child) => child !== undefined) }]);
      }),
  },
  { weight: 1, arbitrary: rearrangedDer(ours.map((info) => writeTrees([info]))) },
);
const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");

/** A CSR of whatever content, with a good signature: its maker has the key, and asks for what it likes. */
function signed(info: Uint8Array): Uint8Array {
  const signature = Buffer.concat([Buffer.of(0), sign("sha256", info, key.privateKey)]);
  const [algorithm] = readTrees(ecdsaWithSha256) ?? [];
  const inside = [...(readTrees(info) ?? []), algorithm ?? none, { ...none, tag: 0x03, content: signature }];
  return writeTrees([{ ...none, children: inside }]);
}

/** What a caller can be told of a CSR of its own making. */
const refusals: readonly CaErrorCode[] = [
  "csr-malformed",
  "csr-too-large",
  "csr-key-unsupported",
  "csr-key-weak",
  "csr-signature-invalid",
  "ttl-too-long",
];

/** Has a CSR signed for the caller, and holds the certificate to the caller's name and the CSR's own key. */
async function issues(der: Uint8Array, proven: ReadonlySet<string>, requestedSeconds: bigint): Promise<boolean> {
  const csrPem = encodePem("CERTIFICATE REQUEST", der);
  const before = process.cpuUsage();
  try {
    const events = recordingEvents();
    const dependencies = { signingCa, limits, clock, events };
    const { chain } = await issueSvid({ csrPem, requestedSeconds, caller }, dependencies, signal);
    const [leaf] = chain;
    expect(leaf.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(leaf.isCa).toBe(false);
    const csr = parseCsr(csrPem);
    // Somebody who has the key has signed this very request.
    expect(proven).toContain(csr.tbs.toHex());
    expect(Buffer.compare(leaf.spki, csr.spki)).toBe(0);
    if (trustBundle === undefined) throw new Error("no trust bundle");
    const bundles = new Map([[trustDomain, trustBundle]]);
    const result = verifySvid({ chain, bundles, at: clock.now(), extendedKeyUsage: "clientAuth" });
    expect(result).toEqual({ kind: "verified", spiffeId });
    return true;
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    expect(refusals).toContain(error.code);
    return false;
  } finally {
    const { user } = process.cpuUsage(before);
    expect(user).toBeLessThan(5_000_000);
  }
}

const seconds = fc.oneof(fc.constant(0n), fc.constant(3_600n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

describe("CSRs, whatever they are", () => {
  it("are read or refused", { timeout: fuzzTimeoutMs }, () => {
    fc.assert(
      fc.property(mutatedDer(samples), (der) => {
        try {
          const csr = bounded(() => parseCsr(encodePem("CERTIFICATE REQUEST", der)));
          bounded(() => checkCsr(csr));
        } catch (error) {
          expect(error).toHaveProperty("code");
        }
      }),
      fuzzParameters(0.05),
    );
  });

  it("get a certificate for the caller's name and for no other, or none", { timeout: fuzzTimeoutMs }, async () => {
    let issued = 0;
    const wellSigned = signedParts.map((info) => ({
      der: signed(info),
      proven: new Set([Buffer.from(info).toString("hex")]),
    }));
    const damaged = mutatedDer(samples).map((der) => ({ der, proven: genuine }));
    const any = fc.oneof({ weight: 4, arbitrary: wellSigned }, { weight: 1, arbitrary: damaged });
    await fc.assert(
      fc.asyncProperty(any, seconds, async ({ der, proven }, requestedSeconds) => {
        if (await issues(der, proven, requestedSeconds)) issued++;
      }),
      fuzzParameters(0.1),
    );
    expect(issued).toBeGreaterThan(0);
  });
});
