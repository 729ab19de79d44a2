import type { Clock } from "@signet/runtime";
import { type Csr, serialNumberHex } from "@signet/x509";
import type { Admission } from "./admission.ts";
import { buildSvidTemplate } from "./build-svid-template.ts";
import type { Caller } from "./caller.ts";
import { checkCsr, parseCallerCsr } from "./check-csr.ts";
import { decideLifetime, type LifetimeLimits } from "./decide-lifetime.ts";
import { CaError } from "./errors.ts";
import type { IssuanceEvents } from "./issuance-events.ts";
import { type IssuedSvid, requireNotAfterLimit, signTemplate } from "./sign-template.ts";
import type { SigningCa } from "./signing-ca.ts";

/** One call for a certificate, by a caller who has been authenticated. */
export type IssueSvidRequest = {
  readonly csrPem: string;
  /** Any int64; zero and below mean the default. */
  readonly requestedSeconds: bigint;
  readonly caller: Caller;
};

/** What issuing needs; made once per process. */
export type IssueSvidDependencies = {
  readonly signingCa: SigningCa;
  readonly limits: LifetimeLimits;
  readonly clock: Clock;
  readonly events: IssuanceEvents;
  /** Bounds how many have something signed at once; without it, nothing does. */
  readonly admission?: Admission;
};

/**
 * Returns an X509-SVID for the caller: its SPIFFE ID and no other name, over the public key of its CSR.
 *
 * Rejects with `signal.reason` when aborted. Every other refusal is a `CaError` and one `refused` event; every
 * certificate is one `issued` event.
 * @throws CaError `csr-too-large`, `csr-malformed`, `csr-key-unsupported`, `csr-key-weak`, `csr-signature-invalid`,
 *   `ttl-too-long`, `overloaded`, `ca-not-ready`, `ca-expired`, `signing-failed`, `issued-svid-mismatch`, or as the
 *   signing CA says
 * @example
 * ```ts
 * import { issueSvid, type IssueSvidDependencies } from "@signet/ca";
 * import { parseSpiffeId } from "@signet/spiffe";
 * export async function issueForFrontend(csrPem: string, dependencies: IssueSvidDependencies, signal: AbortSignal) {
 *   const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
 *   const request = { csrPem, requestedSeconds: 3600n, caller: { spiffeId, source: "token" } as const };
 *   const { chain, trustBundle } = await issueSvid(request, dependencies, signal);
 *   return { leaf: chain[0], roots: trustBundle.pem };
 * }
 * ```
 */
export async function issueSvid(
  request: IssueSvidRequest,
  dependencies: IssueSvidDependencies,
  signal: AbortSignal,
): Promise<IssuedSvid> {
  const { caller } = request;
  const { signingCa, clock, events, admission } = dependencies;
  const now = clock.now();
  try {
    signal.throwIfAborted();
    const csr = parseCallerCsr(request.csrPem);
    checkCsr(csr);
    const sign = (): Promise<IssuedSvid> => signFor(csr, { request, dependencies }, signal);
    const issued = await (admission === undefined ? sign() : admission.run(sign, signal));
    publishIssued(issued, csr, { caller, dependencies, startedAt: now });
    return issued;
  } catch (error) {
    if (error instanceof CaError) {
      events.refused({
        caller,
        signingCa: signingCa.name,
        code: error.code,
        error,
        durationMs: clock.now().getTime() - now.getTime(),
      });
    }
    throw error;
  }
}

/** Reads the clock itself: whoever waited for admission loses none of the lifetime by that. */
async function signFor(
  csr: Csr,
  about: { readonly request: IssueSvidRequest; readonly dependencies: IssueSvidDependencies },
  signal: AbortSignal,
): Promise<IssuedSvid> {
  const { caller, requestedSeconds } = about.request;
  const { signingCa, limits, clock } = about.dependencies;
  const now = clock.now();
  const notAfterLimit = requireNotAfterLimit(signingCa);
  const lifetime = decideLifetime({ requestedSeconds, limits, now, notAfterLimit });
  const template = buildSvidTemplate({ csr, spiffeId: caller.spiffeId, lifetime });
  return await signTemplate({ template, csr }, { signingCa, at: now, clock }, signal);
}

function publishIssued(
  issued: IssuedSvid,
  csr: Csr,
  about: { readonly caller: Caller; readonly dependencies: IssueSvidDependencies; readonly startedAt: Date },
): void {
  const { signingCa, clock, events } = about.dependencies;
  const [leaf] = issued.chain;
  events.issued({
    caller: about.caller,
    signingCa: signingCa.name,
    serialNumber: serialNumberHex(leaf),
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    publicKeyInfo: csr.publicKeyInfo,
    durationMs: clock.now().getTime() - about.startedAt.getTime(),
  });
}
