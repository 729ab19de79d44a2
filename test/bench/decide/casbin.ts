import { newEnforcer, newModelFromString } from "casbin";
import type { BenchRequest, BenchRule } from "./bench-policies.ts";
import type { PeerEngine } from "./peer-engine.ts";

/** Cheap columns first, so that most rows end after one comparison; a star asks for nothing. */
const model = `
[request_definition]
r = sub, ns, act, path, host, tenant, ip, groups

[policy_definition]
p = sub, ns, tenant, path, act, host, ip, grp, notns, notpath, eft

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = (p.sub == "*" || r.sub == p.sub) && (p.ns == "*" || r.ns == p.ns) && (p.tenant == "*" || r.tenant == p.tenant) && \
(p.path == "*" || like(r.path, p.path)) && (p.act == "*" || among(r.act, p.act)) && (p.host == "*" || like(r.host, p.host)) && \
(p.ip == "*" || startsLike(r.ip, p.ip)) && (p.grp == "*" || holds(r.groups, p.grp)) && (p.notns == "-" || r.ns != p.notns) && \
(p.notpath == "-" || !like(r.path, p.notpath))
`;

export async function compileForCasbin(rules: readonly BenchRule[]): Promise<PeerEngine> {
  const enforcer = await newEnforcer(newModelFromString(model.replaceAll("\\\n", "")));
  await enforcer.addFunction("like", like);
  await enforcer.addFunction("among", (value: string, list: string) => list.split("|").includes(value));
  await enforcer.addFunction("startsLike", (value: string, prefix: string) => value.startsWith(prefix));
  await enforcer.addFunction("holds", (list: readonly string[], value: string) => list.includes(value));
  await enforcer.addPolicies(rules.map(rowOf));
  return {
    prepare: (request) => {
      const input = inputOf(request);
      return () => enforcer.enforceSync(...input);
    },
  };
}

function like(text: string, pattern: string): boolean {
  if (pattern.endsWith("*")) return text.startsWith(pattern.slice(0, -1));
  return pattern.startsWith("*") ? text.endsWith(pattern.slice(1)) : text === pattern;
}

function rowOf(rule: BenchRule): string[] {
  const { principal, namespace, header, path, methods, host, ipBlock, group, notNamespace, notPath, effect } = rule;
  const asked = [principal, namespace, header, path, methods?.join("|"), host, ipBlock?.replace("0/24", ""), group];
  return [...asked.map((value) => value ?? "*"), notNamespace ?? "-", notPath ?? "-", effect];
}

function inputOf({
  namespace,
  serviceAccount,
  method,
  path,
  host,
  tenant,
  ip,
  groups,
}: BenchRequest): readonly unknown[] {
  const sub = `cluster.local/ns/${namespace}/sa/${serviceAccount}`;
  return [sub, namespace, method, path.replace(/\?.*/, ""), host, tenant, ip, groups];
}
