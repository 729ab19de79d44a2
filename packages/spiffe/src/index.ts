export { SpiffeError, type SpiffeErrorCode } from "./errors.ts";
export { type KubernetesIdentity, kubernetesIdentityOf, kubernetesSpiffeId } from "./kubernetes-identity.ts";
export { matchSpiffeIds, matchTrustDomains, type SpiffeIdMatcher } from "./match-spiffe-id.ts";
export { maxSpiffeIdBytes, parseSpiffeId, pathOf, type SpiffeId, trustDomainOf } from "./spiffe-id.ts";
export { maxTrustDomainBytes, parseTrustDomain, type TrustDomain } from "./trust-domain.ts";
