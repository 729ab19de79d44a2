import type { DocumentPosition, JwtRule } from "@signet/documents";
import {
  authenticateRequest,
  compileJwtRules,
  type KeysOf,
  type RequestAuthErrorCode,
  type RequestAuthenticationResult,
} from "@signet/request-auth";
import { type DecodedToken, decodeToken } from "../text/decode-token.ts";
import { issuerDifference, nearestText } from "../text/nearest-text.ts";
import type { OpenRules } from "./open-rules.ts";
import { ruleKeysOf } from "./rule-keys.ts";
import { sentencesFor } from "./rule-sentences.ts";

/** What one rule makes of a token. */
export type RuleVerdict = {
  /** Namespace and name of its document. */
  readonly document: string;
  /** Its index among the document's rules. */
  readonly rule: number;
  readonly position: DocumentPosition;
  /** Empty for any. */
  readonly issuer: string;
  readonly verdict: "accepts" | "refuses";
  readonly code?: RequestAuthErrorCode;
  /** The first says what is the case, the others what would help. */
  readonly sentences: readonly string[];
};

/** All that there is to say of a token. */
export type TokenExplanation = {
  readonly judgedAt: Date;
  readonly decoded: DecodedToken;
  /** In the order in which they are asked. */
  readonly rules: readonly RuleVerdict[];
  /** Of a request that bears the token where every rule would look. */
  readonly result: RequestAuthenticationResult;
  /** What concerns all rules together. */
  readonly remarks: readonly string[];
};

/**
 * Has every rule judge `token` by itself, and all of them together, with the code that judges requests.
 *
 * Where a rule looks for tokens is left out of it: each sees this one.
 */
export async function explainRules(token: string, open: OpenRules, signal: AbortSignal): Promise<TokenExplanation> {
  const { authenticator, clock } = open;
  const judgedAt = clock.now();
  const decoded = decodeToken(token);
  const names = namesOfRules(open);
  const rules = compileJwtRules(authenticator.rules(), open.options).rules;
  const verdicts: RuleVerdict[] = [];
  for (const rule of rules) {
    const result = await judge([rule], { token, open }, signal);
    const { document, index, inline } = names.get(rule.position) ?? unnamed;
    const keys = await ruleKeysOf({ rule, inline }, { open, decoded }, signal);
    verdicts.push({
      ...{ document, rule: index, position: rule.position, issuer: rule.issuer },
      verdict: result.kind === "rejected" ? "refuses" : "accepts",
      ...(result.kind === "rejected" ? { code: result.code } : {}),
      sentences: sentencesFor(result, { rule, decoded, now: judgedAt, keys }),
    });
  }
  const result = await judgeTogether(rules, { token, open }, signal);
  return { judgedAt, decoded, rules: verdicts, result, remarks: remarksOn(open, decoded) };
}

type Case = { readonly token: string; readonly open: OpenRules };

/** What some rules make of a request that bears the token in a place where all of them look. */
async function judge(
  rules: readonly JwtRule[],
  { token, open }: Case,
  signal: AbortSignal,
): Promise<RequestAuthenticationResult> {
  const { authenticator, clock } = open;
  const original = new Map<JwtRule, JwtRule>();
  const looking = rules.map((rule) => {
    const { outputPayloadToHeader: _, ...others } = rule;
    const copy: JwtRule = {
      ...others,
      // In a header of its own, so that no rule takes it away from the next one.
      fromHeaders: [{ name: tokenHeader, prefix: "" }],
      ...{ fromParams: [], fromCookies: [], outputClaimToHeaders: [], forwardOriginalToken: true },
    };
    original.set(copy, rule);
    return copy;
  });
  const keysOf: KeysOf = (copy, header, until) => authenticator.keysOf(original.get(copy) ?? copy, header, until);
  const request = { method: "GET", scheme: "https", host: "", path: "/", headers: [[tokenHeader, token]] } as const;
  return await authenticateRequest(compileJwtRules(looking, open.options), request, { keysOf, clock }, signal);
}

/** What becomes of a request: where a document is broken, what the authenticator makes of one with any token. */
async function judgeTogether(
  rules: readonly JwtRule[],
  subject: Case,
  signal: AbortSignal,
): Promise<RequestAuthenticationResult> {
  const { authenticator } = subject.open;
  if (authenticator.refused().length === 0) return await judge(rules, subject, signal);
  const headers = [["authorization", `Bearer ${subject.token}`]] as const;
  return await authenticator.authenticate({ method: "GET", scheme: "https", host: "", path: "/", headers }, signal);
}

const tokenHeader = "x-token";

type WrittenRule = {
  readonly document: string;
  readonly index: number;
  /** Whether the document itself holds its keys. */
  readonly inline: boolean;
};

const unnamed: WrittenRule = { document: "", index: 0, inline: false };

/** Copies of a rule keep the place where it was written. */
function namesOfRules({ set }: OpenRules): ReadonlyMap<DocumentPosition, WrittenRule> {
  const names = new Map<DocumentPosition, WrittenRule>();
  for (const document of set.documents) {
    if (document.kind !== "RequestAuthentication") continue;
    for (const [index, { position, jwks }] of document.jwtRules.entries()) {
      names.set(position, { document: `${document.namespace}/${document.name}`, index, inline: jwks !== undefined });
    }
  }
  return names;
}

function remarksOn({ authenticator }: OpenRules, decoded: DecodedToken): readonly string[] {
  const rules = authenticator.rules();
  const broken =
    authenticator.refused().length === 0
      ? []
      : ["A document that is meant for these requests cannot be used, so requests with any token are refused."];
  if (rules.length === 0) return ["No rule applies.", ...broken];
  const issuer = decoded.kind === "decoded" ? decoded.claims.iss : undefined;
  if (typeof issuer !== "string" || rules.some((rule) => rule.issuer === issuer || rule.issuer === "")) return broken;
  const nearest = nearestText(
    issuer,
    rules.map((rule) => rule.issuer),
  );
  const known = [...new Set(rules.map((rule) => JSON.stringify(rule.issuer)))].slice(0, 10).join(", ");
  const hint =
    nearest === undefined
      ? `rules are of ${known}`
      : `nearest is ${JSON.stringify(nearest)}; ${issuerDifference(issuer, nearest)}`;
  return [`No rule has issuer ${JSON.stringify(issuer.slice(0, 200))}: ${hint}.`, ...broken];
}
