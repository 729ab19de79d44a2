import type { Clock } from "@signet/runtime";
import { parseSpiffeId, type SpiffeId, type TrustDomain } from "@signet/spiffe";
import { type Csr, createCsr, generateKeyPair, parseCsr } from "@signet/x509";
import { buildSvidTemplate } from "../build-svid-template.ts";
import { decideLifetime } from "../decide-lifetime.ts";
import { requireNotAfterLimit, signTemplate } from "../sign-template.ts";
import type { SigningCa } from "../signing-ca.ts";

/** A throwaway key and name to have signed; made once, used by every canary signature. */
export type Canary = { readonly csr: Csr; readonly spiffeId: SpiffeId };

/** Long enough for a slow backend to answer while it is valid. */
const defaultTtlMs = 60_000;

/**
 * Returns what canary signatures are made for: `spiffe://<trust domain>/signet/canary` over a P-256 key that is
 * forgotten at once, so that even a canary certificate that got out would be of no use to anyone.
 * @example
 * ```ts
 * import { createCanary } from "@signet/ca";
 * import { parseTrustDomain } from "@signet/spiffe";
 * const canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });
 * ```
 */
export async function createCanary(options: { readonly trustDomain: TrustDomain }): Promise<Canary> {
  const spiffeId = parseSpiffeId(`spiffe://${options.trustDomain}/signet/canary`);
  return { csr: parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId })), spiffeId };
}

/**
 * Resolves when the signing CA can sign now: has it sign the canary for one minute, or for what its backend takes
 * least, checks the certificate like any other, and drops it.
 * @throws CaError `ca-not-ready`, `ca-expired`, `signing-failed`, `issued-svid-mismatch`, or as the signing CA says
 * @example
 * ```ts
 * import { createCanary, type SigningCa, signCanary } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * import { parseTrustDomain } from "@signet/spiffe";
 * const canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });
 * export const checkReady = (signingCa: SigningCa, signal: AbortSignal) =>
 *   signCanary(signingCa, { canary, clock: systemClock }, signal);
 * ```
 */
export async function signCanary(
  signingCa: SigningCa,
  dependencies: { readonly canary: Canary; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const { csr, spiffeId } = dependencies.canary;
  const { clock } = dependencies;
  const ttlMs = signingCa.canaryTtlMs ?? defaultTtlMs;
  const now = clock.now();
  const lifetime = decideLifetime({
    requestedSeconds: 0n,
    limits: { defaultTtlMs: ttlMs, maxTtlMs: ttlMs },
    now,
    notAfterLimit: requireNotAfterLimit(signingCa),
  });
  const template = buildSvidTemplate({ csr, spiffeId, lifetime });
  await signTemplate({ template, csr }, { signingCa, at: now, clock }, signal);
}
