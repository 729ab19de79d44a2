import assert from "node:assert/strict";
import type { Clock } from "@signet/runtime";
import { parseSpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import {
  type CertificateChain,
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
import type { SigningCa, SigningRequest } from "../signing-ca.ts";
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
  /** Key types that the backend does not sign for, each with the reason; the CA must refuse them with a `CaError`. */
  readonly unsupportedKeyTypes?: Partial<Readonly<Record<KeyType, string>>>;
  /** Why the CA signs only CSRs that ask for what the template says; it must refuse all others with a `CaError`. */
  readonly signsNamesOfCsr?: string;
  /** Why the backend may sign for less time than the template says; else a minute is all that may be missing. */
  readonly shortensLifetime?: string;
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
    nameTests(tools, subject);
    stateTests(tools, subject);
    refusalTests(tools, subject);
  });
}

const keyTypes = ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519"] as const;
/** Between whose clock and ours a lifetime may lose a little. */
const maxLostMs = 60_000;

function certificateTests({ it }: SuiteTools, subject: SigningCaSubject): void {
  const { create, clock, unsupportedKeyTypes = {}, shortensLifetime } = subject;
  for (const type of keyTypes.filter((each) => unsupportedKeyTypes[each] === undefined)) {
    it(`signs a template over a ${type} key`, async () => {
      const signingCa = await create();
      const { csr, template } = await requestOf(clock, type);
      const chain = await signingCa.sign({ csr, template }, signal);
      const { trustBundle, at } = checked({ signingCa, chain, template }, clock);
      const bundles = new Map<TrustDomain, TrustBundle>([[trustDomainOf(spiffeId), trustBundle]]);
      assert.deepEqual(verifySvid({ chain, bundles, at, extendedKeyUsage: "clientAuth" }), {
        kind: "verified",
        spiffeId,
      });
      const lostMs = template.notAfter.getTime() - chain[0].notAfter.getTime();
      assert(shortensLifetime !== undefined || lostMs <= maxLostMs, `lifetime is ${lostMs} ms short`);
    });
  }
  for (const type of keyTypes) {
    const reason = unsupportedKeyTypes[type];
    if (reason === undefined) continue;
    it(`refuses a template over a ${type} key: ${reason}`, async () => {
      const signingCa = await create();
      const request = await requestOf(clock, type);
      await assert.rejects(signingCa.sign(request, signal), CaError);
    });
  }
  chainTests({ it }, subject);
}

function nameTests({ it }: SuiteTools, { create, clock, signsNamesOfCsr }: SigningCaSubject): void {
  const rule =
    signsNamesOfCsr === undefined
      ? "never reads the names of the CSR"
      : `refuses a CSR for other names: ${signsNamesOfCsr}`;
  it(rule, async () => {
    const signingCa = await create();
    const csr = parseCsr(buildTestCsr({ ...someoneElse, key: await generateKeyPair("P-256") }));
    const template = templateOf(clock, csr);
    if (signsNamesOfCsr !== undefined) {
      await assert.rejects(signingCa.sign({ csr, template }, signal), CaError);
      return;
    }
    const chain = await signingCa.sign({ csr, template }, signal);
    checked({ signingCa, chain, template }, clock);
    assert.deepEqual(chain[0].subjectAltNames, [{ kind: "uri", value: spiffeId }]);
  });

  it("signs the template's key though the CSR is for another, or refuses", async () => {
    const signingCa = await create();
    const { csr } = await requestOf(clock, "P-256");
    const { template } = await requestOf(clock, "P-256");
    await signsOrRefuses(signingCa, { csr, template }, clock);
  });

  it("signs without a CSR, or refuses", async () => {
    const signingCa = await create();
    const { template } = await requestOf(clock, "P-256");
    await signsOrRefuses(signingCa, { template }, clock);
  });
}

function chainTests({ it }: Pick<SuiteTools, "it">, { create, clock }: SigningCaSubject): void {
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

  it("knows its trust bundle and its kind of key when ready, and is not failing", async () => {
    const signingCa = await create();
    const { authorities, pem } = bundleOf(signingCa);
    assert(authorities.length > 0);
    assert(!pem.includes("PRIVATE KEY"));
    assert.notEqual(signingCa.signingKeyInfo(), undefined);
    assert.notEqual(signingCa.health?.current()?.state, "failing");
  });
}

function refusalTests({ it }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it("rejects with the reason of the signal when aborted", async () => {
    const signingCa = await create();
    const request = await requestOf(clock, "P-256");
    const reason = new Error("client went away");
    await assert.rejects(signingCa.sign(request, AbortSignal.abort(reason)), (error) => error === reason);
  });

  it("rejects with the reason of the signal, or signs, when aborted meanwhile", async () => {
    const signingCa = await create();
    const request = await requestOf(clock, "P-256");
    const controller = new AbortController();
    const reason = new Error("client went away");
    const signing = signingCa.sign(request, controller.signal);
    controller.abort(reason);
    const outcome = await signing.catch((error: unknown) => error);
    assert(Array.isArray(outcome) || outcome === reason);
  });

  it("signs nothing that outlives what it can vouch for", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const limit = limitOf(signingCa);
    const tooLong = { ...template, notAfter: new Date(limit.getTime() + 60_000) };
    const outcome = await signingCa.sign({ csr, template: tooLong }, signal).catch((error: unknown) => error);
    if (Array.isArray(outcome)) assert(outcome[0].notAfter <= limit);
    else assert(outcome instanceof CaError);
  });
}

/** Checks a chain as whoever has it signed does. */
function checked(
  { signingCa, ...signed }: { signingCa: SigningCa; chain: CertificateChain; template: SvidTemplate },
  clock: Clock,
): { trustBundle: TrustBundle; at: Date } {
  const trustBundle = bundleOf(signingCa);
  const at = clock.now();
  checkIssuedSvid({ ...signed, trustBundle, at, verifySignature: !signingCa.keyIsLocal });
  return { trustBundle, at };
}

async function signsOrRefuses(signingCa: SigningCa, request: SigningRequest, clock: Clock): Promise<void> {
  let chain: CertificateChain;
  try {
    chain = await signingCa.sign(request, signal);
  } catch (error) {
    assert(error instanceof CaError);
    return;
  }
  checked({ signingCa, chain, template: request.template }, clock);
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
