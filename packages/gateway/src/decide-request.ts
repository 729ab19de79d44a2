import { normalizePath } from "@signet/authorizer";
import { type GatewayEvents, reportDecision } from "./gateway-events.ts";
import type { AuthenticatorOption, AuthorizerOptions } from "./gateway-options.ts";
import type { GatewayRequest, HeaderChanges, HeaderList } from "./gateway-request.ts";
import { malformedRequest, pathNotNormal, type Refusal, unavailable } from "./refusal.ts";
import type { AuthenticationResult, JsonObject } from "./request-authenticator.ts";
import type { AuthorizationOutcome } from "./request-authorizer.ts";

/** What an authenticator or an authorizer makes of a request. */
export type Verdict =
  | {
      readonly kind: "admitted";
      /** Absent for a request without one. */
      readonly token?: VerifiedToken;
      readonly upstream: HeaderChanges;
      readonly downstream: HeaderList;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal };

type VerifiedToken = {
  readonly principal?: string;
  readonly issuer: string;
  readonly claims: JsonObject;
  readonly payload: JsonObject;
};

/** Decides a request. */
export type Decide = (request: GatewayRequest, signal: AbortSignal) => Promise<Verdict>;

/** Lets through whoever a token is from, and whoever has none. */
export function authenticating({ authenticator }: AuthenticatorOption): Decide {
  return async (request, signal) => verdictOf(await authenticator.authenticate(request, signal));
}

function verdictOf(result: AuthenticationResult): Verdict {
  switch (result.kind) {
    case "anonymous":
      return { kind: "admitted", upstream: result.upstream, downstream: [] };
    case "authenticated": {
      const { principal, rule, claims, payload, upstream } = result;
      const token = { ...(principal === undefined ? {} : { principal }), issuer: rule.issuer, claims, payload };
      return { kind: "admitted", token, upstream, downstream: [] };
    }
    case "rejected": {
      const { code, status, body, wwwAuthenticate: challenge } = result;
      const headers: HeaderList = challenge === undefined ? [] : [["www-authenticate", challenge]];
      return { kind: "refused", refusal: { code, status, body, headers } };
    }
    default:
      // An authenticator is whatever it was given as: what it did not say is not a yes.
      return { kind: "refused", refusal: unavailable };
  }
}

/** Lets through what policies allow, with the path in the form in which they saw it. */
export function authorizing(options: AuthorizerOptions, events: GatewayEvents): Decide {
  const { authorizer, workload, pathNormalization = "BASE" } = options;
  return async (request, signal) => {
    const path = normalizePath(request.path, { normalization: pathNormalization });
    if (path === undefined) return { kind: "refused", refusal: malformedRequest };
    if (path !== request.path && request.routed) return { kind: "refused", refusal: pathNotNormal };
    const asked = { ...request, path, filterMetadata: {}, contextExtensions: new Map<string, string>() };
    const outcome = await authorizer.authorize(asked, workload, signal);
    reportDecision(events, outcome);
    return outcomeVerdict(outcome, path === request.path ? {} : { path });
  };
}

function outcomeVerdict(outcome: AuthorizationOutcome, normalized: { readonly path?: string }): Verdict {
  const { effect, answer, reason, policy, payload, claims = payload, requestPrincipal, downstream } = outcome;
  if (effect !== "allow") {
    const { status = 403, body = deniedBody, headers = [] } = answer ?? {};
    const by = policy === undefined ? {} : { policy: `${policy.namespace}/${policy.name}` };
    return { kind: "refused", refusal: { code: reason, status, body, headers, ...by } };
  }
  const upstream = { ...normalized, ...outcome.upstream };
  if (payload === undefined || claims === undefined) return { kind: "admitted", upstream, downstream };
  const principal = requestPrincipal === undefined ? {} : { principal: requestPrincipal };
  const issuer = typeof claims.iss === "string" ? claims.iss : "";
  return { kind: "admitted", token: { ...principal, issuer, claims, payload }, upstream, downstream };
}

const deniedBody = "RBAC: access denied";
