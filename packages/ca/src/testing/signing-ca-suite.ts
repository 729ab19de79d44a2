import type { Clock } from "@signet/runtime";
import { parseSpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import {
  type Csr,
  createCsr,
  generateKeyPair,
  type KeyType,
  parseCsr,
  type SvidTemplate,
  verifySvid,
} from "@signet/x509";
import { buildSvidTemplate } from "../build-svid-template.ts";
import { checkIssuedSvid } from "../check-issued-svid.ts";
import type { SigningCa } from "../signing-ca.ts";
import { buildTestCsr } from "./build-test-csr.ts";

/** The functions of the test runner; passed in, so that the fakes can be used without one. */
export type SuiteTools = Pick<typeof import("vitest"), "describe" | "it" | "expect">;

/** One implementation of `SigningCa` under test. */
export type SigningCaSubject = {
  readonly name: string;
  /** Called once for each test; the CA must be ready and vouch for an hour at least from `clock.now()`. */
  create(): Promise<SigningCa>;
  readonly clock: Clock;
};

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const signal = new AbortController().signal;

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

function certificateTests({ it, expect }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it.each<KeyType>(["P-256", "P-384", "P-521", "RSA-2048", "Ed25519"])(
    "signs a template over a %s key",
    async (type) => {
      const signingCa = await create();
      const { csr, template } = await requestOf(clock, type);
      const chain = await signingCa.sign({ csr, template }, signal);
      const trustBundle = bundleOf(signingCa);
      const check = { chain, template, trustBundle, at: clock.now() };
      checkIssuedSvid({ ...check, verifySignature: !signingCa.keyIsLocal });
      const bundles = new Map<TrustDomain, typeof trustBundle>([[trustDomainOf(spiffeId), trustBundle]]);
      expect(verifySvid({ chain, bundles, at: clock.now(), extendedKeyUsage: "clientAuth" })).toEqual({
        kind: "verified",
        spiffeId,
      });
    },
  );

  it("never reads the names of the CSR", async () => {
    const signingCa = await create();
    const key = await generateKeyPair("P-256");
    const pem = buildTestCsr({
      key,
      commonName: "admin",
      subjectAltNames: [
        { kind: "uri", value: "spiffe://cluster.local/ns/victim/sa/admin" },
        { kind: "dns", value: "victim.example" },
      ],
      ca: true,
    });
    const csr = parseCsr(pem);
    const template = templateOf(clock, csr);
    const chain = await signingCa.sign({ csr, template }, signal);
    checkIssuedSvid({
      chain,
      template,
      trustBundle: bundleOf(signingCa),
      at: clock.now(),
      verifySignature: !signingCa.keyIsLocal,
    });
    expect(chain[0].subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
  });

  it("gives each of many certificates asked for at once its own serial number", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const chains = await Promise.all(Array.from({ length: 16 }, () => signingCa.sign({ csr, template }, signal)));
    expect(new Set(chains.map(([leaf]) => leaf.serialNumber)).size).toBe(16);
  });

  it("puts its chain after every leaf", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const [, ...above] = await signingCa.sign({ csr, template }, signal);
    expect(above.map(({ der }) => Buffer.from(der).toString("hex"))).toEqual(
      signingCa.chain().map(({ der }) => Buffer.from(der).toString("hex")),
    );
  });
}

function stateTests({ it, expect }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it("says until when it can vouch, and not for longer than a certificate above the leaf", async () => {
    const signingCa = await create();
    const limit = signingCa.notAfterLimit();
    expect(limit?.getTime()).toBeGreaterThan(clock.now().getTime());
    for (const certificate of signingCa.chain()) {
      expect(limit?.getTime()).toBeLessThanOrEqual(certificate.notAfter.getTime());
    }
  });

  it("knows its trust bundle and its kind of key when ready", async () => {
    const signingCa = await create();
    expect(bundleOf(signingCa).authorities.length).toBeGreaterThan(0);
    expect(signingCa.signingKeyInfo()).toBeDefined();
  });
}

function refusalTests({ it, expect }: SuiteTools, { create, clock }: SigningCaSubject): void {
  it("rejects with the reason of the signal when aborted", async () => {
    const signingCa = await create();
    const reason = new Error("client went away");
    await expect(signingCa.sign(await requestOf(clock, "P-256"), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("signs nothing that outlives what it can vouch for", async () => {
    const signingCa = await create();
    const { csr, template } = await requestOf(clock, "P-256");
    const limit = signingCa.notAfterLimit();
    const tooLong = { ...template, notAfter: new Date((limit?.getTime() ?? 0) + 60_000) };
    const outcome = await signingCa.sign({ csr, template: tooLong }, signal).catch((error: unknown) => error);
    if (Array.isArray(outcome)) expect(outcome[0].notAfter.getTime()).toBeLessThanOrEqual(limit?.getTime() ?? 0);
    else expect(outcome).toHaveProperty("code", "signing-failed");
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

function bundleOf(signingCa: SigningCa) {
  const bundle = signingCa.trustBundle.current();
  if (bundle === undefined) throw new Error(`${signingCa.name} has no trust bundle`);
  return bundle;
}
