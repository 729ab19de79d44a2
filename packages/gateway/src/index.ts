export { normalizePath } from "@signet/authorizer";
export type { PathNormalization } from "@signet/documents";
export type { AnonymousAuth, Auth, AuthenticatedAuth } from "./auth.ts";
export type { ClaimsParser, ClaimsSchema } from "./claims-parser.ts";
export { GatewayError, type GatewayErrorCode } from "./errors.ts";
export { type Admission, createGateway, type Gateway } from "./gateway.ts";
export type { FailedEvent, GatewayEvents, RefusedEvent } from "./gateway-events.ts";
export type { AuthenticatorOption, AuthorizerOptions, GatewayOptions } from "./gateway-options.ts";
export type { GatewayPeer, GatewayRequest, HeaderChanges, HeaderList } from "./gateway-request.ts";
export type { Refusal } from "./refusal.ts";
export type { AuthenticationResult, JsonObject, RequestAuthenticator } from "./request-authenticator.ts";
export type {
  AuthorizationOutcome,
  DecidingPolicy,
  RequestAuthorizer,
  RequestToAuthorize,
} from "./request-authorizer.ts";
