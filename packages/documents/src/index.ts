export type { Attachment, TargetReference, WorkloadSelector } from "./attachment.ts";
export type { AuthorizationCondition } from "./authorization-condition.ts";
export type { AuthorizationOperation, OperationField } from "./authorization-operation.ts";
export type { AuthorizationAction, AuthorizationPolicy } from "./authorization-policy.ts";
export type { AuthorizationRule } from "./authorization-rule.ts";
export type { AuthorizationSource, SourceField } from "./authorization-source.ts";
export { type DocumentPosition, type DocumentProblem, describeProblem } from "./document-problem.ts";
export { DocumentsError, type DocumentsErrorCode } from "./errors.ts";
export type {
  CheckedBody,
  ExtensionProvider,
  GrpcProvider,
  HttpProvider,
  InvalidProvider,
  ProviderService,
} from "./extension-provider.ts";
export type { FieldReader } from "./field-reader.ts";
export { joinedHeaderValues } from "./joined-headers.ts";
export type { ClaimToHeader, JwtHeaderLocation, JwtRule } from "./jwt-rule.ts";
export {
  type MeshCaCertificate,
  type MeshConfig,
  type MinTlsVersion,
  type ParsedMeshConfig,
  type PathNormalization,
  parseMeshConfig,
} from "./mesh-config.ts";
export { type Document, type ParsedDocuments, type ParseOptions, parseDocuments } from "./parse-documents.ts";
export type { MutualTlsMode, PeerAuthentication } from "./peer-authentication.ts";
export { type PeerMtls, type PeerMtlsMode, peerMtls } from "./peer-mtls.ts";
export { readYamlMaps, type YamlMaps } from "./read-yaml-maps.ts";
export type { RefusedDocument } from "./refused-document.ts";
export type { RequestAuthentication } from "./request-authentication.ts";
export { type Selectable, type SelectOptions, selectDocuments } from "./select-documents.ts";
export { parseWorkload, type ServiceName, type Workload } from "./workload.ts";
