import { create } from "@bufbuild/protobuf";
import {
  type Authenticator,
  authenticateCaller,
  CaError,
  type Caller,
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
import type { Clock } from "@signet/runtime";
import { certificatePem } from "@signet/x509";
import type { CallEvents } from "./call-events.ts";
import { readPresentedCredentials } from "./presented-credentials.ts";
import { authenticationStatusError, caStatusError, impersonationStatusError } from "./status.ts";

/** What the CA RPC is made of; made once per process. */
export type CertificateServiceDependencies = {
  readonly authenticators: readonly Authenticator[];
  readonly signingCa: SigningCa;
  readonly limits: LifetimeLimits;
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
  return async (request, context) => {
    dependencies.events.called();
    try {
      return await createCertificate(request, context, dependencies);
    } catch (error) {
      // What else may be thrown is a StatusError, the end of the call, or a bug, of which the client learns nothing.
      throw error instanceof CaError ? caStatusError(error) : error;
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
  refuseImpersonation(request, { presented, caller, events: dependencies.events });
  const issued = await issueSvid(
    { csrPem: request.csr, requestedSeconds: request.validityDuration, caller },
    {
      signingCa: dependencies.signingCa,
      limits: dependencies.limits,
      clock: dependencies.clock,
      events: dependencies.events.issuance({ authenticator: by, peerAddress: presented.peerAddress }),
    },
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

// The answer of istiod without trusted node accounts. `CertSigner`, the other key of the metadata, chooses among several
// signers; there is one here, and it signs whatever the key says, as istiod's own CA does.
function refuseImpersonation(
  request: IstioCertificateRequest,
  about: { readonly presented: PresentedCredentials; readonly caller: Caller; readonly events: CallEvents },
): void {
  const identity = request.metadata?.ImpersonatedIdentity;
  if (typeof identity !== "string" || identity === "") return;
  about.events.impersonationRefused({ presented: about.presented, caller: about.caller });
  throw impersonationStatusError();
}

/**
 * The answer's array: the leaf, each further certificate of the chain in an element of its own (ztunnel reads one per
 * element), and the trust bundle verbatim as the last element, which may hold several roots.
 */
function responseChain({ chain, trustBundle }: IssuedSvid): string[] {
  const certificates = chain.map((certificate) => certificatePem(certificate));
  return trustBundle.pem === "" ? certificates : [...certificates, trustBundle.pem];
}
