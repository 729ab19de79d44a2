import assert from "node:assert/strict";
import type { Clock } from "@signet/runtime";
import { parseSpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import {
  type Csr,
  certificatePem,
  createCsr,
  generateKeyPair,
  type KeyType,
  parseCsr,
  type SvidTemplate,
  type TrustBundle,
  verifySvid,
} from "@signet/x509";
import { buildSvidTemplate } from "../build-svid-template.ts";
import { checkIssuedSvid } from "../check-issued-svid.ts";
import { CaError } from "../errors.ts";
import type { SigningCa } from "../signing-ca.ts";
import { buildTestCsr } from "./build-test-csr.ts";

/** The functions of a test runner; passed in, so that the fakes beside this suite can be used without one. */
export type SuiteTools = {
  describe(name: string, declareTests: () => void): unknown;
  it(name: string, test: () => Promise<void>): unknown;
};

/** One implementation of `SigningCa` under test. */
export type SigningCaSubject = {
  readonly name: string;
  /** Called once for each test; the CA must be ready and vouch for an hour at least from `clock.now()`. */
  create(): Promise<SigningCa>;
  readonly clock: Clock;
};

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const signal = new AbortController().signal;

const someoneElse = {
  commonName: "admin",
  subjectAltNames: [
    { kind: "uri", value: "spiffe://cluster.local/ns/victim/sa/admin" },
    { kind: "dns", value: "victim.example" },
  ],
  ca: true,
} as const;

/**
 * Declares how every signing CA behaves, as tests of one implementation.
 * @example
 * ```ts
 * import type { SigningCa } from "@signet/ca";
 * import { type SuiteTools, signingCaSuite } from "@signet/ca/testing";
 * import { systemClock } from "@signet/runtime";
 * export function testMyCa(tools: SuiteTools, create: () => Promise<SigningCa>) {
 *   signingCaSuite(tools, { name: "my CA", create, clock: systemClock });
 * }
 * ```
 */
export function signingCaSuite(tools: SuiteTools, subject: SigningCaSubject): void {
  tools.describe(`${subject.name} as a signing CA`, () => {
    certificateTests(tools, subject);
    stateTests(tools, subject);
    refusalTests(tools, subject);
  });
}

function certificateTests({ it }: SuiteTools, { create, clock }: SigningCaSubject): void {
  for (const type of ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519"] as const) {
    it(`signs a template over a ${type} key`, async () => {
      const signingCa = await create();
      const { csr, template } = await requestOf(clock, type);
      const chain = await signingCa.sign({ csr, template }, signal);
      const trustBundle = bundleOf(signingCa);
      const at = clock.now();
      checkIssuedSvid({ chain, template, trustBundle, at, verifySignature: !signingCa.keyIsLocal });
      const bundles = new Map<TrustDomain, TrustBundle>([[trustDomainOf(spiffeId), trustBundle]]);
      assert.deepEqual(verifySvid({ chain, bundles, at, extendedKeyUsage: "clientAuth" }), {
        kind: "verified",
        spiffeId,
      });
    });
  }

  it("never reads the names of the CSR", async () => {
    const signingCa = await create();
    const csr = parseCsr(buildTestCsr({ ...someoneElse, key: await generateKeyPair("P-256") }));
    const template = templateOf(clock, csr);
    const chain = await signingCa.sign({ csr, template }, signal);
    const verifySignature = !signingCa.keyIsLocal;
    checkIssuedSvid({ chain, template, trustBundle: bundleOf(signingCa), at: clock.now(), verifySignature });
    assert.deepEqual(chain[0].subjectAltNames, [{ kind: "uri", value: spiffeId }]);
  });

  it("gives each of many certificates asked for at once its own serial number", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const chains = await Promise.all(Array.from({ length: 16 }, () => signingCa.sign({ csr, template }, signal)));
    assert.equal(new Set(chains.map(([leaf]) => leaf.serialNumber)).size, 16);
  });

  it("puts its chain after every leaf", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const [, ...above] = await signingCa.sign({ csr, template }, signal);
    assert.deepEqual(above.map(certificatePem), signingCa.chain().map(certificatePem));
  });
}

function stateTests({ it }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it("says until when it can vouch, and not for longer than a certificate above the leaf", async () => {
    const signingCa = await create();
    const limit = limitOf(signingCa);
    assert(limit > clock.now());
    for (const certificate of signingCa.chain()) assert(limit <= certificate.notAfter);
  });

  it("knows its trust bundle and its kind of key when ready", async () => {
    const signingCa = await create();
    assert(bundleOf(signingCa).authorities.length > 0);
    assert.notEqual(signingCa.signingKeyInfo(), undefined);
  });
}

function refusalTests({ it }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it("rejects with the reason of the signal when aborted", async () => {
    const signingCa = await create();
    const request = await requestOf(clock, "P-256");
    const reason = new Error("client went away");
    await assert.rejects(signingCa.sign(request, AbortSignal.abort(reason)), (error) => error === reason);
  });

  it("signs nothing that outlives what it can vouch for", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const limit = limitOf(signingCa);
    const tooLong = { ...template, notAfter: new Date(limit.getTime() + 60_000) };
    const outcome = await signingCa.sign({ csr, template: tooLong }, signal).catch((error: unknown) => error);
    if (Array.isArray(outcome)) assert(outcome[0].notAfter <= limit);
    else assert(outcome instanceof CaError && outcome.code === "signing-failed");
  });
}

async function requestOf(clock: Clock, type: KeyType): Promise<{ csr: Csr; template: SvidTemplate }> {
  const csr = parseCsr(createCsr({ key: await generateKeyPair(type), spiffeId }));
  return { csr, template: templateOf(clock, csr) };
}

function templateOf(clock: Clock, csr: Csr): SvidTemplate {
  const now = Math.floor(clock.now().getTime() / 1000) * 1000;
  const lifetime = { notBefore: new Date(now - 120_000), notAfter: new Date(now + 3_600_000) };
  return buildSvidTemplate({ csr, spiffeId, lifetime });
}

function limitOf(signingCa: SigningCa): Date {
  const limit = signingCa.notAfterLimit();
  assert(limit !== undefined, `${signingCa.name} is not ready`);
  return limit;
}

function bundleOf(signingCa: SigningCa): TrustBundle {
  const bundle = signingCa.trustBundle.current();
  assert(bundle !== undefined, `${signingCa.name} has no trust bundle`);
  return bundle;
}
