import { authorizeImpersonation, type Caller, type ImpersonationOutcome, type ImpersonationPolicy } from "@signet/ca";
import type { IstioCertificateRequest } from "@signet/protos/istio/security/v1alpha1/ca";

/** For whom a certificate is asked: the caller itself, or the workload that it may speak for. */
export type SubjectOutcome = { readonly kind: "self" } | ImpersonationOutcome;

const metadataKey = "ImpersonatedIdentity";

/**
 * Decides for whom a certificate is asked, by the request's metadata: for the caller itself unless the key
 * `ImpersonatedIdentity` is there with a value. One that is no text names nobody and is refused, where istiod would
 * quietly give the caller its own certificate.
 */
export function decideSubject(
  { metadata }: Pick<IstioCertificateRequest, "metadata">,
  caller: Caller,
  policy: ImpersonationPolicy,
): SubjectOutcome {
  const requested = metadata?.[metadataKey];
  if (requested === undefined || requested === "") return { kind: "self" };
  if (typeof requested !== "string") {
    return { kind: "refused", reason: "identity-malformed", detail: `${metadataKey} is not text` };
  }
  return authorizeImpersonation({ caller, requested }, policy);
}

/** What the request's metadata names as signer; empty when it names none. */
export function requestedSigner({ metadata }: Pick<IstioCertificateRequest, "metadata">): string {
  const signer = metadata?.CertSigner;
  return typeof signer === "string" ? signer : "";
}

/** What was asked for, as it may stand in a log: at most 300 characters, or undefined where it was no text. */
export function requestedIdentity({ metadata }: Pick<IstioCertificateRequest, "metadata">): string | undefined {
  const requested = metadata?.[metadataKey];
  return typeof requested === "string" ? requested.slice(0, 300) : undefined;
}
