export type { AddressGuard, AddressRules } from "./address-guard.ts";
export { type JwtAlgorithm, jwtAlgorithms, maxRsaBits, minRsaBits } from "./algorithms.ts";
export { type JwtClaims, type JwtHeader, maxTokenBytes } from "./compact-token.ts";
export { decodeJwtUnverified } from "./decode-jwt.ts";
export { JwtError, type JwtErrorCode, type JwtRejectionCode } from "./errors.ts";
export { createFixedJwks } from "./fixed-jwks.ts";
export { type HttpGet, type HttpGetRequest, type HttpGetResponse, httpGet } from "./http-get.ts";
export type { JwksSource, JwksStatus, KeyLookup, TrustedIssuer } from "./issuer.ts";
export { type Jwks, maxKeys, parseJwks } from "./jwks.ts";
export {
  createJwksSource,
  type JwksEvents,
  type JwksSourceDependencies,
  type JwksSourceOptions,
} from "./jwks-source.ts";
export type { ProxySettings } from "./proxy.ts";
export type { CredentialFiles } from "./request-credentials.ts";
export { publicJwk, type SigningAlgorithm, signJwt } from "./sign-jwt.ts";
export { createVerificationKey, type VerificationKey } from "./verification-key.ts";
export {
  createJwtVerifier,
  defaultClockSkewSeconds,
  type JwtResult,
  type JwtVerifier,
  maxClockSkewSeconds,
} from "./verify-jwt.ts";
