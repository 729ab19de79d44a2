import type { RequestAuthDependencies } from "./authenticate-request.ts";
import { checkAudience, checkTimes } from "./check-claims.ts";
import { checkSignature } from "./check-signature.ts";
import type { CompiledJwtRule, CompiledJwtRules } from "./compile-jwt-rules.ts";
import { type Refusal, type RequestAuthErrorCode, refused } from "./errors.ts";
import { freezeJson } from "./json-object.ts";
import { type ParsedToken, parseToken, type TokenFacts } from "./parse-token.ts";
import type { RuleKeysOutcome } from "./rule-keys.ts";
import type { RememberedToken } from "./token-memory.ts";
import { createVerifiedToken, type VerifiedToken } from "./verified-token.ts";

/** What rules are judged with. */
export type RuleContext = {
  readonly rules: CompiledJwtRules;
  readonly nowSeconds: number;
  readonly keysOf: RequestAuthDependencies["keysOf"];
  readonly signal: AbortSignal;
};

/** Keys must be waited for; once `ready` is fulfilled, ask again. */
export type Pending = { readonly kind: "pending"; readonly ready: Promise<void> };

/** What one rule makes of one token. */
export type TokenOutcome = VerifiedToken | Refusal | Pending;

/** The text of a token while its request is judged, and what is known about it so far. */
export type TokenText = {
  readonly text: string;
  /** Present for a token that has been verified before; it may have expired since, and its key may be gone. */
  remembered: RememberedToken | undefined;
  /** Absent until it is needed: a remembered token is not taken apart again. */
  parsed: ParsedToken | Refusal | undefined;
  /** Keys that had to be waited for, and what rules have made of it: a rule asked twice verifies once. */
  keys: Map<CompiledJwtRule, RuleKeysOutcome> | undefined;
  outcomes: Map<CompiledJwtRule, VerifiedToken | Refusal> | undefined;
};

/** Returns a token to be judged by `rules`, which may remember it. */
export function readToken({ memory }: CompiledJwtRules, text: string): TokenText {
  return { text, remembered: memory?.get(text), parsed: undefined, keys: undefined, outcomes: undefined };
}

/** What the token says, or what is wrong with it for every rule. */
export function factsOf(rules: CompiledJwtRules, token: TokenText): TokenFacts | Refusal {
  if (token.remembered !== undefined) return token.remembered.facts;
  const parsed = parsedToken(rules, token);
  return parsed.kind === "token" ? parsed.facts : parsed;
}

function parsedToken(rules: CompiledJwtRules, token: TokenText): ParsedToken | Refusal {
  const { profile, algorithms, headers } = rules;
  token.parsed ??= parseToken(token.text, { profile, algorithms, knownHeaders: headers.known });
  return token.parsed;
}

/**
 * What one rule makes of one token, in Envoy's order: issuer, times, audience, keys, signature.
 *
 * A signature that a key of the rule has verified before counts for as long as that key is among the rule's. Everything that
 * may change with time or with the issuer's keys is looked at anew.
 */
export function evaluateToken(context: RuleContext, token: TokenText, rule: CompiledJwtRule): TokenOutcome {
  const known = token.outcomes?.get(rule);
  if (known !== undefined) return known;
  const outcome = askRule(context, token, rule);
  // What is remembered costs less to find again than to write down.
  if (outcome.kind === "pending" || outcome === token.remembered?.verifiedBy.get(rule)) return outcome;
  token.outcomes ??= new Map();
  token.outcomes.set(rule, outcome);
  return outcome;
}

function askRule(context: RuleContext, token: TokenText, rule: CompiledJwtRule): TokenOutcome {
  const before = token.remembered?.verifiedBy.get(rule);
  const facts = before?.facts ?? factsOf(context.rules, token);
  if (facts.kind === "refused") return refused(facts.code, rule.rule);
  // Issuer and audiences of a token do not change, nor does what a rule wants of them.
  const { nowSeconds, rules } = context;
  const problem =
    before === undefined ? claimProblem(context, facts, rule) : checkTimes(facts, nowSeconds, rules.profile);
  if (problem !== undefined) return refused(problem, rule.rule);
  const found = findKeys(context, { token, facts, rule });
  if (found.kind === "pending") return found;
  if (found.kind === "unavailable") return refused("keys-unavailable", rule.rule);
  if (before !== undefined && found.keys.some(({ key }) => key === before.key)) return before;
  const parsed = parsedToken(context.rules, token);
  if (parsed.kind === "refused") return refused(parsed.code, rule.rule);
  const signer = rule.keys?.length === 0 ? "keys-invalid" : checkSignature(parsed, found.keys);
  if (typeof signer === "string") return refused(signer, rule.rule);
  const verified = createVerifiedToken(parsed, rule, signer.key);
  remember(context.rules, { token, parsed, verified });
  return verified;
}

function claimProblem(
  { rules, nowSeconds }: RuleContext,
  facts: TokenFacts,
  { rule, audiences }: CompiledJwtRule,
): RequestAuthErrorCode | undefined {
  if (rule.issuer !== "" && rule.issuer !== facts.issuer) return "issuer-unknown";
  return checkTimes(facts, nowSeconds, rules.profile) ?? checkAudience(facts, audiences);
}

type KeyQuestion = { readonly token: TokenText; readonly facts: TokenFacts; readonly rule: CompiledJwtRule };

function findKeys(context: RuleContext, { token, facts, rule }: KeyQuestion): RuleKeysOutcome | Pending {
  if (rule.keys !== undefined) return { kind: "keys", keys: rule.keys };
  const fetched = token.keys?.get(rule);
  if (fetched !== undefined) return fetched;
  const { algorithm: alg, keyId } = facts;
  const outcome = context.keysOf(rule.rule, keyId === "" ? { alg } : { alg, kid: keyId }, context.signal);
  if (!(outcome instanceof Promise)) return outcome;
  token.keys ??= new Map();
  const { keys } = token;
  return { kind: "pending", ready: outcome.then((known) => void keys.set(rule, known)) };
}

type Verification = { readonly token: TokenText; readonly parsed: ParsedToken; readonly verified: VerifiedToken };

function remember({ memory, headers }: CompiledJwtRules, { token, parsed, verified }: Verification): void {
  if (parsed.newHeader !== undefined) headers.note(token.text, parsed.newHeader);
  if (memory === undefined) return;
  token.remembered ??= memory.note(token.text, verified.facts);
  if (token.remembered === undefined) return;
  // Requests share them from now on.
  freezeJson(verified.facts.claims);
  freezeJson(verified.payload);
  token.remembered.verifiedBy.set(verified.rule, verified);
}
