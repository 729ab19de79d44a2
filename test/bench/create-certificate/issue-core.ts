import { randomBytes } from "node:crypto";
import { type CaState, issueSvid, loadSelfSignedCa } from "@signet/ca";
import { systemClock } from "@signet/runtime";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { createCsr, generateKeyPair, type KeyType } from "@signet/x509";
import type { Operation } from "../measure.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

/** CSRs are taken in turn, each with a P-256 key of its own. */
export async function benchCsrs(): Promise<readonly string[]> {
  const keys = await Promise.all(Array.from({ length: 16 }, () => generateKeyPair("P-256")));
  return keys.map((key) => createCsr({ key, spiffeId }));
}

/** Issuing a certificate without server, network or token: the work that a CA cannot do without. */
export async function issueCore(keyType: KeyType = "P-256"): Promise<Operation> {
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
  const csrs = await benchCsrs();
  const caller = { spiffeId, source: "token" } as const;
  const { signal } = new AbortController();
  return (turn) =>
    issueSvid({ csrPem: csrs[turn % csrs.length] ?? "", requestedSeconds: 3600n, caller }, dependencies, signal);
}
