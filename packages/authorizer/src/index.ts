export {
  type AttributedPeer,
  type AttributedRequest,
  parseAttributeContext,
  parseAttributeContextText,
} from "./attribute-context.ts";
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
export type { JwksHealth, JwksPoolDependencies } from "./jwks-pool.ts";
export {
  type AuthenticationDocuments,
  createRequestAuthenticator,
  type RequestAuthenticator,
  type RequestAuthenticatorOptions,
} from "./request-authenticator.ts";
