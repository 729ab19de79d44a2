export { type Admission, createAdmission } from "./admission.ts";
export {
  type AuthenticationAttempt,
  type AuthenticationOutcome,
  authenticateCaller,
  type RefusalReason,
} from "./authenticate-caller.ts";
export type {
  AuthenticationReason,
  AuthenticationResult,
  Authenticator,
  PresentedCredentials,
} from "./authenticator.ts";
export { buildSvidTemplate } from "./build-svid-template.ts";
export type { CaState, CaStateStore } from "./ca-state-store.ts";
export type { Caller } from "./caller.ts";
export { checkCsr } from "./check-csr.ts";
export { checkIssuedSvid, type IssuedSvidCheck } from "./check-issued-svid.ts";
export { decideLifetime, type Lifetime, type LifetimeLimits, type LifetimeRequest } from "./decide-lifetime.ts";
export { CaError, type CaErrorCode } from "./errors.ts";
export {
  authorizeImpersonation,
  type ImpersonationOutcome,
  type ImpersonationPolicy,
  type ImpersonationReason,
  type ImpersonationRequest,
  type IndexedPod,
  type PodIndex,
} from "./impersonation.ts";
export type { IssuanceEvents, IssuedEvent, RefusedEvent } from "./issuance-events.ts";
export {
  issueServingCertificate,
  type ServingCertificate,
  type ServingCertificateDependencies,
  type ServingCertificateRequest,
} from "./issue-serving-certificate.ts";
export { type IssueSvidDependencies, type IssueSvidRequest, issueSvid } from "./issue-svid.ts";
export type { IssuedSvid } from "./sign-template.ts";
export type { CaFiles } from "./signing/ca-material.ts";
export type { CaMaterialChange } from "./signing/ca-material-succession.ts";
export { type Canary, createCanary, signCanary } from "./signing/canary.ts";
export { type CanaryProbe, type CanaryProbeOptions, createCanaryProbe } from "./signing/canary-probe.ts";
export type { FailoverEvents, MemberFailedEvent, SwitchedEvent } from "./signing/failover-events.ts";
export {
  createFailoverGroup,
  type FailoverGroup,
  type FailoverGroupDependencies,
} from "./signing/failover-group.ts";
export type { FailoverRole } from "./signing/failover-member.ts";
export type { FailoverGroupOptions } from "./signing/failover-options.ts";
export type { LocalSigningDependencies } from "./signing/local-signing-ca.ts";
export { createPluggedInCa, type PluggedInCaFiles } from "./signing/plugged-in-ca.ts";
export {
  type CaAdoptedEvent,
  type CaRefusedEvent,
  createReloadingCa,
  type ReloadEvents,
  type ReloadingCa,
  type ReloadingCaDependencies,
  type ReloadingCaOptions,
  type ReloadOutcome,
} from "./signing/reloading-ca.ts";
export { loadSelfSignedCa, type SelfSignedCaOptions } from "./signing/self-signed-ca.ts";
export type { SigningCa, SigningCaHealth, SigningRequest } from "./signing-ca.ts";
