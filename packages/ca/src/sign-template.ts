import type { Clock } from "@signet/runtime";
import type { CertificateChain, TrustBundle } from "@signet/x509";
import { checkIssuedSvid } from "./check-issued-svid.ts";
import { CaError } from "./errors.ts";
import type { SigningCa, SigningRequest } from "./signing-ca.ts";

/** A checked chain, and the trust bundle under which it was checked. */
export type IssuedSvid = {
  /** Leaf first, then the chain as the signing CA distributes it. */
  readonly chain: CertificateChain;
  readonly trustBundle: TrustBundle;
};

/**
 * Has the signing CA sign a template and checks what came back, whoever signed it.
 *
 * The trust bundle is taken before signing: should the roots change meanwhile, the caller must not be told of roots
 * under which its chain was never checked. A certificate from elsewhere is dated by another clock and may have taken a
 * while, so it is judged at the instant it came; one made here is judged at `at`, the instant its template was made.
 * @throws CaError `ca-not-ready`, `signing-failed`, `issued-svid-mismatch`, or what the signing CA threw as a `CaError`
 */
export async function signTemplate(
  request: SigningRequest,
  { signingCa, at, clock }: { readonly signingCa: SigningCa; readonly at: Date; readonly clock: Clock },
  signal: AbortSignal,
): Promise<IssuedSvid> {
  const trustBundle = signingCa.trustBundle.current();
  if (trustBundle === undefined) throw notReady(signingCa, "trust bundle");
  const chain = await sign(request, signingCa, signal);
  const { template } = request;
  const verifySignature = !signingCa.keyIsLocal;
  const { notAfterToleranceMs = 0 } = signingCa;
  const instant = verifySignature ? clock.now() : at;
  checkIssuedSvid({ chain, template, trustBundle, at: instant, verifySignature, notAfterToleranceMs });
  return { chain, trustBundle };
}

async function sign(request: SigningRequest, signingCa: SigningCa, signal: AbortSignal): Promise<CertificateChain> {
  try {
    return await signingCa.sign(request, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CaError) throw error;
    throw new CaError("signing-failed", `${signingCa.name} CA could not sign`, { cause: error });
  }
}

/**
 * The latest instant that a certificate signed now may carry.
 * @throws CaError `ca-not-ready`
 */
export function requireNotAfterLimit(signingCa: SigningCa): Date {
  const limit = signingCa.notAfterLimit();
  if (limit === undefined) throw notReady(signingCa, "signing certificate");
  return limit;
}

function notReady(signingCa: SigningCa, what: string): CaError {
  return new CaError("ca-not-ready", `${signingCa.name} CA has no ${what} yet`);
}
