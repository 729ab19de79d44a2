import { randomBytes } from "node:crypto";
import { type CaState, issueSvid, loadSelfSignedCa } from "@signet/ca";
import { systemClock } from "@signet/runtime";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "@signet/spiffe";
import {
  type Certificate,
  createCsr,
  generateKeyPair,
  type KeyPair,
  type KeyType,
  parseCertificates,
  parsePrivateKey,
} from "@signet/x509";
import { type BenchmarkCase, compare, type Operation } from "./measure.ts";
import { peculiarX509 } from "./peers/peculiar-x509.ts";
import { rawOpenSsl } from "./peers/raw-openssl.ts";

const spiffeId: SpiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

/** CSRs are taken in turn, each with a key of its own. */
const csrCount = 16;

const scenarios: readonly { name: string; caKey: KeyType; csrKey: KeyType }[] = [
  { name: "P-256", caKey: "P-256", csrKey: "P-256" },
  { name: "RSA-2048", caKey: "RSA-2048", csrKey: "P-256" },
  { name: "RSA-2048 CSR", caKey: "P-256", csrKey: "RSA-2048" },
];

/**
 * Issuing an X509-SVID, from the text of a CSR to the certificate read back and checked, beside raw OpenSSL doing the same
 * cryptography and beside @peculiar/x509 doing the same work.
 */
export async function issue(): Promise<readonly BenchmarkCase[]> {
  const cases: BenchmarkCase[] = [];
  const contenders = await Promise.all(scenarios.map(prepare));
  for (const { name, ours, raw } of contenders) {
    cases.push(await compare({ case: name, ours, baseline: raw }));
  }
  for (const { name, ours, peculiar } of contenders) {
    cases.push(await compare({ case: `${name}, @peculiar/x509`, ours, baseline: peculiar }));
  }
  return cases;
}

interface Contenders {
  readonly name: string;
  readonly ours: Operation;
  readonly raw: Operation;
  readonly peculiar: Operation;
}

async function prepare({ name, caKey, csrKey }: (typeof scenarios)[number]): Promise<Contenders> {
  const keys = await Promise.all(Array.from({ length: csrCount }, () => generateKeyPair(csrKey)));
  const csrs = keys.map((key) => createCsr({ key, spiffeId }));
  const { ours, issuer, sample } = await ourCa(caKey, csrs);
  return {
    name,
    ours,
    raw: rawOpenSsl(csrs, issuer.key, sample.tbs),
    peculiar: await peculiarX509(csrs, issuer, spiffeId),
  };
}

async function ourCa(
  keyType: KeyType,
  csrs: readonly string[],
): Promise<{ ours: Operation; issuer: { certificate: Certificate; key: KeyPair }; sample: Certificate }> {
  let state: CaState | undefined;
  const store = {
    load: async () => state,
    save: async (saved: CaState) => {
      state = saved;
    },
  };
  const signingCa = await loadSelfSignedCa(
    { store, trustDomain: parseTrustDomain("cluster.local"), keyType, ttlMs: 3650 * 86_400_000 },
    { clock: systemClock, randomBytes },
  );
  const dependencies = {
    signingCa,
    limits: { defaultTtlMs: 86_400_000, maxTtlMs: 90 * 86_400_000 },
    clock: systemClock,
    events: { issued: () => {}, refused: () => {} },
  };
  const caller = { spiffeId, source: "token" } as const;
  const { signal } = new AbortController();
  const ours = (turn: number) =>
    issueSvid({ csrPem: csrs[turn % csrs.length] ?? "", requestedSeconds: 3600n, caller }, dependencies, signal);
  const {
    chain: [sample],
  } = await ours(0);
  const [certificate] = parseCertificates(state?.certificatePem ?? "");
  if (certificate === undefined || state === undefined) {
    throw new Error("the CA saved no certificate");
  }
  return { ours, issuer: { certificate, key: parsePrivateKey(state.privateKeyPem) }, sample };
}
