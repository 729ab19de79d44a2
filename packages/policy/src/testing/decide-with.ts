import { type AuthorizationPolicy, parseWorkload, type Workload } from "@signet/documents";
import { type AuthorizationRequest, type HttpAuthorizationRequest, requestHeaders } from "../authorization-request.ts";
import { type CompileOptions, compilePolicies } from "../compile-policies.ts";
import { decide } from "../decide.ts";
import type { Decision } from "../decision.ts";
import { policiesFor, type WorkloadPolicies } from "../policies-for.ts";
import { makePolicy, type PolicyParts, type RuleParts } from "./generate-policies.ts";
import { decideNaively } from "./naive-decision.ts";

/** A request to a workload of `foo` when not all of it matters: GET / with the headers given as pairs. */
export type RequestParts = Partial<Omit<HttpAuthorizationRequest, "headers" | "kind">> & {
  readonly kind?: "http" | "tcp";
  readonly pairs?: readonly (readonly [string, string])[];
};

export function makeRequest({ kind = "http", pairs = [], ...parts }: RequestParts): AuthorizationRequest {
  if (kind === "tcp") return { kind, ...parts };
  return { method: "GET", path: "/", host: "httpbin.foo", headers: requestHeaders(pairs), ...parts, kind };
}

/** The policies of a workload of `foo`, or of another one. */
export function compileParts(
  policies: readonly PolicyParts[],
  options: CompileOptions = {},
  workload: Workload = parseWorkload("foo/app=httpbin"),
): WorkloadPolicies {
  const documents: readonly AuthorizationPolicy[] = policies.map(makePolicy);
  return policiesFor(compilePolicies({ documents, refused: [] }, options).compiled, workload);
}

/** Decides by policies of these parts, and checks that the naive interpreter decides the same. */
export function decideWith(
  policies: readonly PolicyParts[],
  request: RequestParts,
  options: CompileOptions = {},
): Decision {
  const made = makeRequest(request);
  const decision = decide(compileParts(policies, options), made);
  const documents = { documents: policies.map(makePolicy), refused: [] };
  const naive = decideNaively({ documents, options, workload: parseWorkload("foo/app=httpbin"), request: made });
  if (naive.effect !== decision.effect || naive.id !== decision.id) {
    throw new Error(`decided ${JSON.stringify(decision)}, and naively ${JSON.stringify(naive)}`);
  }
  return decision;
}

/** Whether a rule matches a request, asked as an ALLOW policy and as a DENY policy, which have to agree. */
export function ruleMatches(rule: RuleParts, request: RequestParts, options: CompileOptions = {}): boolean {
  const allows = decideWith([{ action: "ALLOW", rules: [rule] }], request, options).because === "allow-matched";
  const denies = decideWith([{ action: "DENY", rules: [rule] }], request, options).because === "deny-matched";
  if (allows !== denies) throw new Error(`ALLOW matches: ${allows}, DENY matches: ${denies}`);
  return allows;
}
