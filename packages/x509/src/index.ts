export {
  type Certificate,
  type CertificateChain,
  certificatePem,
  parseCertificate,
  parseCertificates,
  serialNumberHex,
} from "./certificate.ts";
export { createCsr } from "./create-csr.ts";
export { type Csr, maxCsrBytes, maxCsrCharacters, parseCsr, verifyCsr } from "./csr.ts";
export { describeName } from "./distinguished-name.ts";
export { X509Error, type X509ErrorCode } from "./errors.ts";
export {
  generateKeyPair,
  type KeyPair,
  type KeyType,
  needsThreadPool,
  parsePrivateKey,
  privateKeyPem,
} from "./key-pair.ts";
export type { KeyUsage } from "./key-usage.ts";
export type { NameConstraints, NameSubtree } from "./name-constraints.ts";
export type { ChainErrorCode, PathRequirements } from "./path-problems.ts";
export { encodePem, parsePem, splitPem } from "./pem.ts";
export type { PublicKeyInfo } from "./public-key.ts";
export { parseRevocationList, parseRevocationLists, type RevocationList } from "./revocation-list.ts";
export { type SelfSignRootOptions, selfSignRoot } from "./self-sign-root.ts";
export { randomSerialNumber } from "./serial-number.ts";
export { type SignLeafOptions, signLeaf, signLeafAsync, signProbe } from "./sign-leaf.ts";
export type { SignatureAlgorithm } from "./signature-algorithm.ts";
export type { SubjectAltName } from "./subject-alt-name.ts";
export type { SvidTemplate } from "./svid-template.ts";
export { templateNameProblem } from "./template-name-problem.ts";
export { parseTrustBundle, type TrustBundle, trustBundlesEqual } from "./trust-bundle.ts";
export { type ChainResult, maxChainLength, type VerifyChainOptions, verifyChain } from "./verify-chain.ts";
export {
  type RevocationListErrorCode,
  type RevocationListResult,
  verifyRevocationList,
} from "./verify-revocation-list.ts";
export { type SvidErrorCode, type SvidResult, type VerifySvidOptions, verifySvid } from "./verify-svid.ts";
export { spiffeIdOf, type X509Svid } from "./x509-svid.ts";
