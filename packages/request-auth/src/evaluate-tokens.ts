import type { CompiledJwtRule } from "./compile-jwt-rules.ts";
import { type Refusal, refused } from "./errors.ts";
import { evaluateToken, factsOf, type Pending, type RuleContext, readToken, type TokenText } from "./evaluate-token.ts";
import type { FoundToken } from "./extract-token.ts";
import type { TokenLocation } from "./token-location.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** What the rules make of all tokens of a request. */
export type TokenVerdict =
  | {
      readonly kind: "accepted";
      /** The first is the one that says who the request is from. */
      readonly tokens: readonly [VerifiedToken, ...VerifiedToken[]];
      /** Places whose tokens must not go on. */
      readonly stripped: readonly TokenLocation[];
    }
  | Refusal;

/** A token and where it was. */
export type Candidate = { readonly token: TokenText; readonly location: TokenLocation };

/** Returns the tokens of a request to be judged; the same text in two places is one token. */
export function readTokens(rules: RuleContext["rules"], found: readonly FoundToken[]): readonly Candidate[] {
  const [only, second] = found;
  // Looking a text up costs as much as reading it.
  if (only !== undefined && second === undefined) {
    return [{ token: readToken(rules, only.token), location: only.location }];
  }
  const known = new Map<string, TokenText>();
  return found.map(({ token: text, location }) => {
    const token = known.get(text) ?? readToken(rules, text);
    known.set(text, token);
    return { token, location };
  });
}

/**
 * What the rules make of the tokens, as Envoy's tree of requirements has it, or, where all payloads are published, each token
 * by itself. Pending when keys must be waited for: ask again then, and nothing is done twice.
 */
export function evaluateTokens(context: RuleContext, candidates: readonly Candidate[]): TokenVerdict | Pending {
  const [only, second] = candidates;
  if (only === undefined) return refused("token-missing");
  if (second === undefined) return evaluateOne(context, only);
  return context.rules.options.publishAllPayloads === true
    ? evaluateEach(context, candidates)
    : evaluateSeveral(context, candidates);
}

/**
 * Asks the rules of the token's issuer, and those for any, in the order of their rank until one accepts it: the costs do not grow
 * with the number of other rules.
 */
function evaluateOne(context: RuleContext, { token, location }: Candidate): TokenVerdict | Pending {
  const facts = factsOf(context.rules, token);
  if (facts.kind === "refused") return facts;
  const refusals: RankedRefusal[] = [];
  // The empty issuer sorts first, so these are in the order of their rank.
  for (const rules of [location.ofAnyIssuer, location.byIssuer.get(facts.issuer) ?? []]) {
    for (const rule of rules) {
      const outcome = evaluateToken(context, token, rule);
      if (outcome.kind === "pending") return outcome;
      if (outcome.kind === "verified") {
        return { kind: "accepted", tokens: [outcome], stripped: isStripped(rule, location) ? [location] : [] };
      }
      refusals.push({ refusal: outcome, rank: rule.rank });
    }
  }
  return concludedRefusal(refusals, location.rules[0]?.rank);
}

type RankedRefusal = { readonly refusal: Refusal; readonly rank: number };

/**
 * The refusal that Envoy's tree of requirements leaves: that of the first rule that looks where a token was, unless it only did
 * not know the issuer; else of the last rule that did; else "issuer-unknown".
 */
function concludedRefusal(refusals: readonly RankedRefusal[], firstRank: number | undefined): Refusal {
  const first = refusals.find(({ rank }) => rank === firstRank)?.refusal;
  if (first !== undefined && first.code !== "issuer-unknown") return first;
  return refusals.findLast(({ refusal }) => refusal.code !== "issuer-unknown")?.refusal ?? refused("issuer-unknown");
}

/** Each token by itself; all must be accepted, and the rule of the lowest rank says who the request is from. */
function evaluateEach(context: RuleContext, candidates: readonly Candidate[]): TokenVerdict | Pending {
  const tokens: VerifiedToken[] = [];
  const stripped: TokenLocation[] = [];
  for (const candidate of candidates) {
    const verdict = evaluateOne(context, candidate);
    if (verdict.kind !== "accepted") return verdict;
    tokens.push(...verdict.tokens);
    stripped.push(...verdict.stripped);
  }
  const [first, ...others] = tokens.sort((a, b) => a.rule.rank - b.rule.rank);
  return first === undefined ? refused("token-missing") : { kind: "accepted", tokens: [first, ...others], stripped };
}

type AskedRule = { readonly rule: CompiledJwtRule; readonly seen: readonly Candidate[] };

/** One request with several tokens on its way through the rules: what Envoy has taken away, and what some rule has verified. */
type Evaluation = {
  readonly context: RuleContext;
  readonly asked: readonly AskedRule[];
  readonly stripped: TokenLocation[];
  readonly verified: Set<TokenText>;
};

function evaluateSeveral(context: RuleContext, candidates: readonly Candidate[]): TokenVerdict | Pending {
  const evaluation = { context, asked: askedRules(candidates), stripped: [], verified: new Set<TokenText>() };
  const refusals: RankedRefusal[] = [];
  for (const asked of evaluation.asked) {
    const verdict = evaluateRule(evaluation, asked);
    if (verdict?.kind === "accepted" || verdict?.kind === "pending") return verdict;
    if (verdict !== undefined) refusals.push({ refusal: verdict, rank: asked.rule.rank });
  }
  const first = context.rules.rules.length === 1 ? refusals[0]?.refusal : undefined;
  // A rule that is alone is asked once: that is the tree that istiod makes for it.
  const verdict = first ?? askAgain(evaluation, candidates);
  if (verdict !== undefined && !(verdict.kind === "refused" && verdict.code === "issuer-unknown")) return verdict;
  return concludedRefusal(refusals, undefined);
}

/**
 * Asks all rules once more about the tokens that are left, and each must accept what it sees: so does Envoy, where a token may stand
 * beside one for another issuer once that one has been verified and taken away. Safer than Envoy: every token must have
 * been verified by some rule; a bad one does not pass because it was taken away with a good one.
 */
function askAgain(evaluation: Evaluation, candidates: readonly Candidate[]): TokenVerdict | Pending | undefined {
  let accepted: TokenVerdict | undefined;
  for (const asked of evaluation.asked) {
    const verdict = evaluateRule(evaluation, asked);
    if (verdict?.kind === "refused" || verdict?.kind === "pending") return verdict;
    if (verdict !== undefined) accepted = verdict;
  }
  return candidates.every((candidate) => evaluation.verified.has(candidate.token)) ? accepted : undefined;
}

function askedRules(candidates: readonly Candidate[]): readonly AskedRule[] {
  const asked = new Map<CompiledJwtRule, Candidate[]>();
  for (const candidate of candidates) {
    for (const rule of candidate.location.rules) {
      const seen = asked.get(rule);
      if (seen === undefined) asked.set(rule, [candidate]);
      else seen.push(candidate);
    }
  }
  return [...asked].map(([rule, seen]) => ({ rule, seen })).sort((a, b) => a.rule.rank - b.rule.rank);
}

/** What a rule makes of the tokens it still sees, from the last to the first; undefined when it sees none. */
function evaluateRule(evaluation: Evaluation, { rule, seen }: AskedRule): TokenVerdict | Pending | undefined {
  const { context, stripped, verified } = evaluation;
  const present = seen.filter(({ location }) => !stripped.some((place) => isSamePlace(place, location)));
  const tokens: VerifiedToken[] = [];
  for (const candidate of present.toReversed()) {
    const outcome = evaluateToken(context, candidate.token, rule);
    if (outcome.kind !== "verified") return outcome;
    tokens.unshift(outcome);
    verified.add(candidate.token);
    if (isStripped(rule, candidate.location)) stripped.push(candidate.location);
  }
  // Envoy goes from the last token to the first, and the one it has verified last is the one that it publishes.
  const [first, ...others] = tokens;
  return first && { kind: "accepted", tokens: [first, ...others], stripped: [...stripped] };
}

function isStripped({ rule }: CompiledJwtRule, location: TokenLocation): boolean {
  return !rule.forwardOriginalToken && location.kind !== "cookie";
}

function isSamePlace(a: TokenLocation, b: TokenLocation): boolean {
  return a.kind === b.kind && a.name === b.name;
}
