import type { AuthorizationRequest } from "@signet/policy";
import type { BenchRule } from "./bench-policies.ts";

type HttpRequest = Extract<AuthorizationRequest, { kind: "http" }>;
type Test = (request: HttpRequest) => boolean;

/** Policies as a careful programmer would write them by hand: a closure for each condition, one list for each effect. */
export type LinearPolicies = { readonly deny: readonly Test[]; readonly allow: readonly Test[] };

export function compileLinear(rules: readonly BenchRule[]): LinearPolicies {
  const of = (effect: BenchRule["effect"]): readonly Test[] =>
    rules.filter((rule) => rule.effect === effect).map((rule) => allOf(conditions(rule)));
  return { deny: of("deny"), allow: of("allow") };
}

export function linearAllows({ deny, allow }: LinearPolicies, request: AuthorizationRequest): boolean {
  if (request.kind !== "http") return false;
  for (const test of deny) {
    if (test(request)) return false;
  }
  for (const test of allow) {
    if (test(request)) return true;
  }
  return false;
}

function allOf(tests: readonly Test[]): Test {
  const [first, second, third] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (third === undefined) return (request) => first(request) && second(request);
  return (request) => tests.every((test) => test(request));
}

/** The cheapest and most telling first. */
function conditions(rule: BenchRule): readonly Test[] {
  const { principal, namespace, notNamespace, methods, path, notPath, host, header, ipBlock, group } = rule;
  const tests: Test[] = [];
  if (principal !== undefined) {
    const id = `spiffe://${principal}`;
    tests.push((request) => request.peerPrincipal === id);
  }
  if (namespace !== undefined) {
    const part = `/ns/${namespace}/`;
    tests.push((request) => request.peerPrincipal?.includes(part) === true);
  }
  if (header !== undefined) tests.push((request) => request.headers.get("x-tenant") === header);
  if (ipBlock !== undefined) {
    const prefix = ipBlock.replace("0/24", "");
    tests.push((request) => request.directRemoteIp?.startsWith(prefix) === true);
  }
  if (path !== undefined) tests.push(pathTest(path));
  if (methods !== undefined) tests.push((request) => methods.includes(request.method));
  if (host !== undefined) tests.push(hostTest(host));
  if (group !== undefined) tests.push((request) => groupsOf(request).includes(group));
  if (notNamespace !== undefined) {
    const part = `/ns/${notNamespace}/`;
    tests.push((request) => request.peerPrincipal?.includes(part) !== true);
  }
  if (notPath !== undefined) {
    const test = pathTest(notPath);
    tests.push((request) => !test(request));
  }
  return tests;
}

function groupsOf(request: HttpRequest): readonly unknown[] {
  const groups = request.jwtPayload?.groups;
  return Array.isArray(groups) ? groups : [];
}

function pathTest(pattern: string): Test {
  if (pattern.endsWith("*")) {
    const prefix = pattern.slice(0, -1);
    return ({ path }) => path?.startsWith(prefix) === true;
  }
  const text = pattern.startsWith("*") ? pattern.slice(1) : pattern;
  const whole = !pattern.startsWith("*");
  return ({ path = "" }) => {
    const query = path.indexOf("?");
    const end = query < 0 ? path.length : query;
    return path.endsWith(text, end) && (!whole || end === text.length);
  };
}

function hostTest(pattern: string): Test {
  const suffix = pattern.slice(1);
  return pattern.startsWith("*")
    ? ({ host }) => host?.toLowerCase().endsWith(suffix) === true
    : ({ host }) => host?.toLowerCase() === pattern;
}
