import { create } from "@bufbuild/protobuf";
import {
  type Admission,
  type Authenticator,
  authenticateCaller,
  CaError,
  type Caller,
  type ImpersonationPolicy,
  type IssuanceEvents,
  type IssuedSvid,
  issueSvid,
  type LifetimeLimits,
  type PresentedCredentials,
  type SigningCa,
} from "@signet/ca";
import type { CallContext, UnaryHandler } from "@signet/grpc";
import {
  type IstioCertificateRequest,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from "@signet/protos/istio/security/v1alpha1/ca";
import { type Clock, RuntimeError, withDeadline } from "@signet/runtime";
import { certificatePem } from "@signet/x509";
import type { CallEvents } from "./call-events.ts";
import { decideSubject, requestedIdentity, requestedSigner } from "./impersonate.ts";
import { readPresentedCredentials } from "./presented-credentials.ts";
import { authenticationStatusError, caStatusError, deadlineStatusError, impersonationStatusError } from "./status.ts";

/** What the CA RPC is made of; made once per process. */
export type CertificateServiceDependencies = {
  readonly authenticators: readonly Authenticator[];
  readonly impersonation: ImpersonationPolicy;
  readonly signingCa: SigningCa;
  /** The CA that a caller chooses with `CertSigner`; without it the key chooses nothing, as with istiod's own CA. */
  signerFor?(certSigner: string, signal: AbortSignal): Promise<SigningCa>;
  readonly admission?: Admission;
  readonly limits: LifetimeLimits;
  /** How long one call may take, whatever its client allows. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly events: CallEvents;
};

/**
 * Returns `CreateCertificate` of `istio.v1.auth.IstioCertificateService`: the wire's request becomes a caller and a CSR,
 * what the CA core says becomes the wire's answer, and nothing is decided here.
 */
export function createCertificateHandler(
  dependencies: CertificateServiceDependencies,
): UnaryHandler<IstioCertificateRequest, IstioCertificateResponse> {
  const { clock, deadlineMs: ms, events } = dependencies;
  return async (request, context) => {
    events.called();
    const answer = (signal: AbortSignal) => createCertificate(request, { ...context, signal }, dependencies);
    try {
      return await withDeadline({ clock, ms, what: "CreateCertificate" }, answer, context.signal);
    } catch (error) {
      if (error instanceof CaError) throw caStatusError(error);
      if (error instanceof RuntimeError && error.code === "deadline-exceeded") {
        events.timedOut({ peerAddress: context.peer.address, deadlineMs: ms });
        throw deadlineStatusError();
      }
      // What else may be thrown is a StatusError, the end of the call, or a bug, of which the client learns nothing.
      throw error;
    }
  };
}

async function createCertificate(
  request: IstioCertificateRequest,
  context: CallContext,
  dependencies: CertificateServiceDependencies,
): Promise<IstioCertificateResponse> {
  const presented = readPresentedCredentials(context);
  const { caller, by } = await authenticate(presented, dependencies, context.signal);
  const subject = chooseSubject(request, { presented, caller }, dependencies);
  const events = dependencies.events.issuance({ authenticator: by, peerAddress: presented.peerAddress });
  const signingCa = await chooseSigner(request, { ...dependencies, caller: subject, events }, context.signal);
  const { limits, clock, admission } = dependencies;
  const issued = await issueSvid(
    { csrPem: request.csr, requestedSeconds: request.validityDuration, caller: subject },
    { signingCa, limits, clock, events, ...(admission !== undefined && { admission }) },
    context.signal,
  );
  return create(IstioCertificateResponseSchema, { certChain: responseChain(issued) });
}

async function authenticate(
  presented: PresentedCredentials,
  dependencies: CertificateServiceDependencies,
  signal: AbortSignal,
): Promise<{ readonly caller: Caller; readonly by: string }> {
  const outcome = await authenticateCaller(dependencies.authenticators, presented, signal);
  if (outcome.kind === "authenticated") return outcome;
  dependencies.events.callerRefused({ presented, outcome });
  throw authenticationStatusError({ retryable: outcome.retryable });
}

/** The one whose name the certificate will carry: the caller, or whom it may speak for. */
function chooseSubject(
  request: IstioCertificateRequest,
  { presented, caller }: { readonly presented: PresentedCredentials; readonly caller: Caller },
  { impersonation, events }: CertificateServiceDependencies,
): Caller {
  const outcome = decideSubject(request, caller, impersonation);
  if (outcome.kind === "self") return caller;
  if (outcome.kind === "permitted") return outcome.caller;
  events.impersonationRefused({ presented, caller, requested: requestedIdentity(request), outcome });
  throw impersonationStatusError({ retryable: outcome.kind === "unavailable" });
}

/** The CA that the caller chose, where there is a choice. */
async function chooseSigner(
  request: IstioCertificateRequest,
  { signingCa, signerFor, clock, caller, events }: SignerChoice,
  signal: AbortSignal,
): Promise<SigningCa> {
  const certSigner = requestedSigner(request);
  if (signerFor === undefined || certSigner === "") return signingCa;
  const startedAt = clock.now().getTime();
  try {
    return await signerFor(certSigner, signal);
  } catch (error) {
    if (error instanceof CaError) {
      const durationMs = clock.now().getTime() - startedAt;
      events.refused({ caller, signingCa: signingCa.name, code: error.code, error, durationMs });
    }
    throw error;
  }
}

type SignerChoice = Pick<CertificateServiceDependencies, "signingCa" | "signerFor" | "clock"> & {
  readonly caller: Caller;
  readonly events: IssuanceEvents;
};

/**
 * The answer's array: the leaf, each further certificate of the chain in an element of its own (ztunnel reads one per
 * element), and the trust bundle verbatim as the last element, which may hold several roots.
 */
function responseChain({ chain, trustBundle }: IssuedSvid): string[] {
  const certificates = chain.map((certificate) => certificatePem(certificate));
  return trustBundle.pem === "" ? certificates : [...certificates, trustBundle.pem];
}
