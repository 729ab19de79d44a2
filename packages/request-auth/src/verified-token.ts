import type { KeyObject } from "node:crypto";
import type { CompiledJwtRule } from "./compile-jwt-rules.ts";
import { type HeaderChanges, headersOf } from "./forward-claims.ts";
import type { JsonObject } from "./json-object.ts";
import type { ParsedToken, TokenFacts } from "./parse-token.ts";
import { publishedClaims } from "./published-claims.ts";
import { requestPrincipal } from "./request-principal.ts";

/** A token that one of a rule's keys has signed, and all that follows from it; the same for every request that bears it. */
export type VerifiedToken = {
  readonly kind: "verified";
  readonly rule: CompiledJwtRule;
  readonly key: KeyObject;
  readonly facts: TokenFacts;
  readonly principal: string | undefined;
  readonly payload: JsonObject;
  readonly headers: HeaderChanges["add"];
};

/** Returns what follows from a token that `key`, one of the rule's, has signed. */
export function createVerifiedToken(token: ParsedToken, rule: CompiledJwtRule, key: KeyObject): VerifiedToken {
  const { facts } = token;
  return {
    kind: "verified",
    rule,
    key,
    facts,
    principal: requestPrincipal(facts.issuer, facts.subject),
    payload: publishedClaims(facts.claims, rule.publication),
    headers: headersOf(rule.output, token),
  };
}
