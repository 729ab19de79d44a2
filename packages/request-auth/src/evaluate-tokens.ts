import type { JwtRule } from "@signet/documents";
import type { RequestAuthDependencies } from "./authenticate-request.ts";
import type { CompiledJwtRules } from "./compile-jwt-rules.ts";
import { type Refusal, type RequestAuthErrorCode, refused } from "./errors.ts";
import { evaluateToken } from "./evaluate-token.ts";
import type { FoundToken } from "./extract-token.ts";
import { type ParsedToken, parseToken } from "./parse-token.ts";
import type { RankedRule, TokenLocation } from "./token-location.ts";

/** What the rules make of all tokens of a request. */
export type TokenVerdict =
  | {
      readonly kind: "accepted";
      readonly rule: JwtRule;
      /** All that the rule saw, in the order of their places. */
      readonly tokens: readonly [ParsedToken, ...ParsedToken[]];
      /** Places whose tokens must not go on. */
      readonly stripped: readonly TokenLocation[];
    }
  | Refusal;

/** A token taken apart, or what is wrong with it for every rule, and where it was. */
type Candidate = {
  readonly parsed: ParsedToken | Refusal;
  readonly location: TokenLocation;
  /** Whether some rule has verified it. */
  verified: boolean;
};

type AskedRule = RankedRule & { readonly seen: readonly Candidate[] };

/** One request on its way through the rules; `stripped` grows as Envoy takes tokens away. */
type Evaluation = {
  readonly rules: CompiledJwtRules;
  readonly asked: readonly AskedRule[];
  /** Of the first rule that looks where a token was. */
  readonly firstRank: number;
  readonly stripped: TokenLocation[];
  readonly nowSeconds: number;
  readonly keysOf: RequestAuthDependencies["keysOf"];
};

/**
 * Asks the rules that look where a token was, in the order of their rank, until one accepts all that it sees.
 *
 * When none does, the refusal is the one that Envoy's tree of requirements leaves: that of the first rule that saw a token, unless
 * it only did not know the issuer; else of the last rule that did; else "issuer-unknown". A single token is put to the rules
 * of its issuer alone, so it costs the same however many others there are.
 */
export async function evaluateTokens(
  rules: CompiledJwtRules,
  { tokens, dependencies }: { readonly tokens: readonly FoundToken[]; readonly dependencies: RequestAuthDependencies },
  signal: AbortSignal,
): Promise<TokenVerdict> {
  const candidates = parseTokens(rules, tokens);
  const [only, second] = candidates;
  const single = second === undefined ? only : undefined;
  if (single?.parsed.kind === "refused") return single.parsed;
  const evaluation: Evaluation = {
    rules,
    ...(single === undefined ? allRules(candidates) : rulesOfIssuer(single)),
    stripped: [],
    nowSeconds: Math.floor(dependencies.clock.now().getTime() / 1000),
    keysOf: dependencies.keysOf,
  };
  const refusals: RankedRefusal[] = [];
  for (const asked of evaluation.asked) {
    const verdict = await evaluateRule(evaluation, asked, signal);
    if (verdict?.kind === "accepted") return verdict;
    if (verdict !== undefined) refusals.push({ ...verdict, rank: asked.rank });
  }
  const verdict =
    single === undefined ? await askAgain(evaluation, candidates, signal) : firstRefusal(evaluation, refusals);
  if (verdict?.kind === "accepted") return verdict;
  if (verdict !== undefined && verdict.code !== "issuer-unknown") return verdict;
  const last = refusals.findLast(({ code }) => code !== "issuer-unknown");
  return last === undefined ? refused("issuer-unknown") : refused(last.code, last.rule);
}

type RankedRefusal = Refusal & { readonly rank: number };

function firstRefusal({ firstRank }: Evaluation, refusals: readonly RankedRefusal[]): Refusal | undefined {
  const first = refusals.find(({ rank }) => rank === firstRank);
  return first && refused(first.code, first.rule);
}

/**
 * Asks all rules once more about the tokens that are left, and each must accept what it sees: so does Envoy, where a token may stand
 * beside one for another issuer once that one has been verified and taken away. Safer than Envoy: every token must have
 * been verified by some rule; a bad one does not pass because it was taken away with a good one.
 */
async function askAgain(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  signal: AbortSignal,
): Promise<TokenVerdict | undefined> {
  let accepted: TokenVerdict | undefined;
  for (const asked of evaluation.asked) {
    const verdict = await evaluateRule(evaluation, asked, signal);
    if (verdict?.kind === "refused") return verdict;
    if (verdict !== undefined) accepted = verdict;
  }
  return candidates.every(({ verified }) => verified) ? accepted : undefined;
}

/** The same text in two places is parsed once. */
function parseTokens({ profile }: CompiledJwtRules, tokens: readonly FoundToken[]): readonly Candidate[] {
  const known = new Map<string, Candidate["parsed"]>();
  return tokens.map(({ token, location }) => {
    const parsed = known.get(token) ?? parseToken(token, profile);
    known.set(token, parsed);
    return { parsed, location, verified: false };
  });
}

function rulesOfIssuer(single: Candidate): Pick<Evaluation, "asked" | "firstRank"> {
  const { parsed, location } = single;
  const issuer = parsed.kind === "token" ? parsed.issuer : "";
  // The empty issuer sorts first, so these are in the order of their rank.
  const knowing = [...location.ofAnyIssuer, ...(location.byIssuer.get(issuer) ?? [])];
  return { asked: knowing.map((ranked) => ({ ...ranked, seen: [single] })), firstRank: location.rules[0]?.rank ?? -1 };
}

function allRules(candidates: readonly Candidate[]): Pick<Evaluation, "asked" | "firstRank"> {
  const byRank = new Map<number, RankedRule & { readonly seen: Candidate[] }>();
  for (const candidate of candidates) {
    for (const ranked of candidate.location.rules) {
      const asked = byRank.get(ranked.rank) ?? { ...ranked, seen: [] };
      asked.seen.push(candidate);
      byRank.set(ranked.rank, asked);
    }
  }
  const asked = [...byRank.values()].sort((a, b) => a.rank - b.rank);
  return { asked, firstRank: asked[0]?.rank ?? -1 };
}

/** What a rule makes of the tokens it still sees, from the last to the first; undefined when it sees none. */
async function evaluateRule(
  evaluation: Evaluation,
  { rule, seen }: AskedRule,
  signal: AbortSignal,
): Promise<TokenVerdict | undefined> {
  const { stripped } = evaluation;
  const present = seen.filter(({ location }) => !stripped.some((place) => isSamePlace(place, location)));
  const tokens: ParsedToken[] = [];
  for (const candidate of present.toReversed()) {
    const code = await evaluateCandidate(evaluation, { rule, candidate }, signal);
    if (code !== undefined) return refused(code, rule);
    if (candidate.parsed.kind === "token") tokens.unshift(candidate.parsed);
  }
  const [first, ...others] = tokens;
  return first && { kind: "accepted", rule, tokens: [first, ...others], stripped: [...stripped] };
}

async function evaluateCandidate(
  { rules, stripped, nowSeconds, keysOf }: Evaluation,
  { rule, candidate }: { readonly rule: JwtRule; readonly candidate: Candidate },
  signal: AbortSignal,
): Promise<RequestAuthErrorCode | undefined> {
  const { parsed, location } = candidate;
  if (parsed.kind === "refused") return parsed.code;
  const outcome = await evaluateToken({ rules, rule, nowSeconds, keysOf }, parsed, signal);
  if (outcome !== "verified") return outcome;
  candidate.verified = true;
  if (!rule.forwardOriginalToken && location.kind !== "cookie") stripped.push(location);
  return undefined;
}

function isSamePlace(a: TokenLocation, b: TokenLocation): boolean {
  return a.kind === b.kind && a.name === b.name;
}
