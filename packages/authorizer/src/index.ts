export { type NormalizePathOptions, normalizePath } from "@signet/policy";
export {
  type AttributedPeer,
  type AttributedRequest,
  parseAttributeContext,
  parseAttributeContextText,
} from "./attribute-context.ts";
export { type AuthorizationReason, type AuthorizationResult, deniedBody } from "./authorization-result.ts";
export {
  type Authorizer,
  type AuthorizerDependencies,
  type AuthorizerOptions,
  type AuthorizerProblem,
  createAuthorizer,
} from "./authorize-request.ts";
export type { CustomAnswer, CustomProvider, CustomQuestion, RefusalAnswer } from "./custom-provider.ts";
export { type DocumentFile, type DocumentFiles, readDocumentFiles } from "./document-files.ts";
export type { DocumentSet } from "./document-set.ts";
export {
  type DocumentEvents,
  type DocumentSource,
  type DocumentSourceDependencies,
  type DocumentSourceOptions,
  openDocumentSource,
  readDocuments,
} from "./document-source.ts";
export { AuthorizerError, type AuthorizerErrorCode } from "./errors.ts";
export type { JwksFetching, JwksHealth, JwksPoolDependencies } from "./jwks-pool.ts";
export { remoteIpOf } from "./remote-ip.ts";
export {
  createRequestAuthenticator,
  type KeyOptions,
  type RequestAuthenticator,
  type RequestAuthenticatorOptions,
} from "./request-authenticator.ts";
export type { AttachmentOptions, AuthenticationDocuments } from "./workload-rules.ts";
