import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { ensureOpaBench } from "../../../tools/ensure-opa-bench.ts";
import type { BenchRequest, BenchRule, BenchSet } from "./bench-policies.ts";

/** What OPA decided, and what it took. */
export type OpaAnswer = {
  readonly compileMs: number;
  /** One for each request. */
  readonly allowed: readonly boolean[];
  readonly nsPerDecision: number;
};

/** Returns the path of the program that has OPA in it, or why there is none. */
export async function findOpa(): Promise<Awaited<ReturnType<typeof ensureOpaBench>>> {
  return await ensureOpaBench(AbortSignal.timeout(1_800_000));
}

/** Asks a process that has OPA in it; decisions are timed there, so that no pipe is. */
export async function askOpa(path: string, { rules, requests }: BenchSet, milliseconds: number): Promise<OpaAnswer> {
  const child = spawn(path, [], { stdio: ["pipe", "pipe", "inherit"] });
  const question = {
    module: moduleOf(rules),
    query: "data.bench.allowed",
    inputs: requests.map(inputOf),
    milliseconds,
  };
  child.stdin.end(JSON.stringify(question));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`opa-bench ended with ${code}`);
  const answer: OpaAnswer = JSON.parse(output);
  return answer;
}

/** Equalities come first: OPA finds rules by them without looking at each. */
function moduleOf(rules: readonly BenchRule[]): string {
  const lines = rules.map((rule) => `${rule.effect} if { ${[...conditionsOf(rule), "true"].join("; ")} }`);
  return [
    "package bench",
    "default allowed := false",
    "allowed if { allow; not deny }",
    "default allow := false",
    "default deny := false",
    ...lines,
  ].join("\n");
}

function conditionsOf(rule: BenchRule): readonly string[] {
  const { principal, namespace, notNamespace, methods, path, notPath, host, header, ipBlock, group } = rule;
  const asked = (value: string | undefined, condition: (text: string) => string): readonly string[] =>
    value === undefined ? [] : [condition(JSON.stringify(value))];
  return [
    ...asked(principal, (text) => `input.principal == ${text}`),
    ...asked(namespace, (text) => `input.namespace == ${text}`),
    ...asked(header, (text) => `input.tenant == ${text}`),
    ...(methods === undefined
      ? []
      : [`input.method in {${methods.map((method) => JSON.stringify(method)).join(", ")}}`]),
    ...asked(path, (text) => like("input.path", text)),
    ...asked(host, (text) => like("input.host", text)),
    ...asked(group, (text) => `${text} in input.groups`),
    ...asked(ipBlock, (text) => `net.cidr_contains(${text}, input.ip)`),
    ...asked(notNamespace, (text) => `input.namespace != ${text}`),
    ...asked(notPath, (text) => `not ${like("input.path", text)}`),
  ];
}

function like(what: string, pattern: string): string {
  if (pattern.endsWith('*"')) return `startswith(${what}, ${pattern.replace('*"', '"')})`;
  return pattern.startsWith('"*') ? `endswith(${what}, ${pattern.replace('"*', '"')})` : `${what} == ${pattern}`;
}

function inputOf({ namespace, serviceAccount, method, path, host, tenant, ip, groups }: BenchRequest): unknown {
  const principal = `cluster.local/ns/${namespace}/sa/${serviceAccount}`;
  return { principal, namespace, method, path: path.replace(/\?.*/, ""), host, tenant, ip, groups };
}
