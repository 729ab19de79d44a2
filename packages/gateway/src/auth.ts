import type { JsonObject } from "./request-authenticator.ts";

/** Who a request is from that a gateway has let through. Frozen: one verified token serves many requests. */
export type Auth<Claims = JsonObject> = AnonymousAuth | AuthenticatedAuth<Claims>;

/** A request without a token. Whether that is enough is for policies, or for whoever answers, to say. */
export type AnonymousAuth = { readonly kind: "anonymous"; readonly principal?: undefined };

/** A request with a token that was verified. */
export type AuthenticatedAuth<Claims = JsonObject> = {
  readonly kind: "authenticated";
  /** `<iss>/<sub>`; absent when the token lacks one of them. */
  readonly principal?: string;
  /** The issuer of the rule that accepted the token; empty for a rule that accepts any. */
  readonly issuer: string;
  /** The token's claims, as `claims` of the gateway has made them. */
  readonly claims: Claims;
  /** The claims as policies see them: space-delimited ones, `scope` among them, are lists. */
  readonly payload: JsonObject;
};

export const anonymousAuth: AnonymousAuth = Object.freeze({ kind: "anonymous" });

const frozen = new WeakSet<object>();

/** Returns JSON that nobody can change any more: a token's claims are kept, and whoever writes to them writes for the next too. */
export function freezeJson<T>(value: T): T {
  if (typeof value !== "object" || value === null || frozen.has(value)) return value;
  for (const member of Object.values(value)) freezeJson(member);
  frozen.add(value);
  return Object.freeze(value);
}
