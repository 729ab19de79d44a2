import type { PathNormalization, Workload } from "@signet/documents";
import type { Clock } from "@signet/runtime";
import type { ClaimsParser } from "./claims-parser.ts";
import type { GatewayEvents } from "./gateway-events.ts";
import type { RequestAuthenticator } from "./request-authenticator.ts";
import type { RequestAuthorizer } from "./request-authorizer.ts";

/** How a gateway is made: over an authenticator, or over an authorizer, which asks policies too. */
export type GatewayOptions<Claims> = CommonOptions<Claims> & (AuthenticatorOption | AuthorizerOptions);

/** Says who requests are from; what they may do is the handlers' business. */
export type AuthenticatorOption = { readonly authenticator: RequestAuthenticator };

/** Says who requests are from, and whether they may go on. */
export type AuthorizerOptions = {
  readonly authorizer: RequestAuthorizer;
  /** Whose requests these are. */
  readonly workload: Workload;
  /**
   * How paths are made alike before policies look at them; default "DEFAULT", which is BASE, as in Istio. Handlers see the path that policies saw:
   * where a router has run before, a path that is not in this form is refused with 400.
   */
  readonly pathNormalization?: PathNormalization;
};

type CommonOptions<Claims> = {
  /** Makes typed claims of a verified token's, or refuses them with 403; by default they stay as they are. */
  readonly claims?: ClaimsParser<Claims>;
  /** Longest time that a decision may take, in milliseconds; default 10000. Then the answer is 503. */
  readonly deadlineMs?: number;
  /** How many proxies of yours every request has passed; default 0. Only above 0 is `x-forwarded-proto` believed. */
  readonly trustedHops?: number;
  readonly events?: GatewayEvents;
  readonly clock?: Clock;
};
