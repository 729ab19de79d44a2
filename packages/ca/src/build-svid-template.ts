import type { SpiffeId } from "@signet/spiffe";
import type { Csr, SvidTemplate } from "@signet/x509";
import type { Lifetime } from "./decide-lifetime.ts";

/** Longest common name (RFC 5280 appendix A, ub-common-name). */
const maxCommonNameLength = 64;

/**
 * Returns what to sign for a caller: the CSR's public key, the caller's SPIFFE ID as the only name, the decided
 * lifetime.
 *
 * Names inside the CSR are never read. Only whether it has a common name counts: then the certificate gets one too,
 * the SPIFFE ID again (Istio's "dual use" for clients that look at nothing else), unless that is over 64 characters.
 * @example
 * ```ts
 * import { buildSvidTemplate } from "@signet/ca";
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { createCsr, generateKeyPair, parseCsr } from "@signet/x509";
 * const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
 * const template = buildSvidTemplate({
 *   csr: parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId })),
 *   spiffeId,
 *   lifetime: { notBefore: new Date("2026-11-01T11:58:00Z"), notAfter: new Date("2026-11-02T12:00:00Z") },
 * });
 * template.subjectAltNames; // [{ kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" }]
 * ```
 */
export function buildSvidTemplate(options: {
  readonly csr: Csr;
  readonly spiffeId: SpiffeId;
  readonly lifetime: Lifetime;
}): SvidTemplate {
  const { csr, spiffeId, lifetime } = options;
  const template: SvidTemplate = {
    spki: csr.spki,
    subjectAltNames: [{ kind: "uri", value: spiffeId }],
    notBefore: lifetime.notBefore,
    notAfter: lifetime.notAfter,
  };
  const dualUse = csr.hasCommonName && spiffeId.length <= maxCommonNameLength;
  return dualUse ? { ...template, commonName: spiffeId } : template;
}
