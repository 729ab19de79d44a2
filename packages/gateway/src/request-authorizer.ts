import type { Workload } from "@signet/documents";
import type { GatewayRequest, HeaderChanges, HeaderList } from "./gateway-request.ts";
import type { JsonObject } from "./request-authenticator.ts";

/** A request as an authorizer takes it: no other filter has seen it before. */
export type RequestToAuthorize = GatewayRequest & {
  readonly filterMetadata: Readonly<Record<string, JsonObject>>;
  readonly contextExtensions: ReadonlyMap<string, string>;
};

/** The policy that decided, as far as it matters here. */
export type DecidingPolicy = { readonly namespace: string; readonly name: string };

/** What becomes of a request by policies. */
export type AuthorizationOutcome = {
  readonly effect: "allow" | "deny";
  /** Such as "deny-matched". */
  readonly reason: string;
  readonly policy?: DecidingPolicy;
  /** `<iss>/<sub>` of a verified token. */
  readonly requestPrincipal?: string;
  /** The claims of a verified token as policies see them, and as they are in it. */
  readonly payload?: JsonObject;
  readonly claims?: JsonObject;
  readonly upstream: HeaderChanges;
  /** Added to the answer. */
  readonly downstream: HeaderList;
  /** What a denied client is answered. */
  readonly answer?: { readonly status: number; readonly body: string; readonly headers: HeaderList };
};

/** Decides requests; `createAuthorizer` of `@signet/authorizer` makes one. */
export interface RequestAuthorizer {
  authorize(
    request: RequestToAuthorize,
    workload: Workload,
    signal: AbortSignal,
  ): AuthorizationOutcome | Promise<AuthorizationOutcome>;
}
