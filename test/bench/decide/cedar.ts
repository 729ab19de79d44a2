import {
  preparsePolicySet,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from "@cedar-policy/cedar-wasm/nodejs";
import type { BenchRequest, BenchRule } from "./bench-policies.ts";
import type { PeerEngine } from "./peer-engine.ts";

/** The policy set is parsed once and stays in Cedar's memory. */
export function compileForCedar(rules: readonly BenchRule[]): PeerEngine {
  const preparsedPolicySetId = `bench-${rules.length}`;
  const parsed = preparsePolicySet(preparsedPolicySetId, { staticPolicies: rules.map(policyOf).join("\n") });
  if (parsed.type !== "success") throw new Error(`cedar: ${JSON.stringify(parsed.errors).slice(0, 500)}`);
  return {
    prepare: (request) => {
      const call = callOf(request, preparsedPolicySetId);
      return () => {
        const answer = statefulIsAuthorized(call);
        if (answer.type !== "success") throw new Error(`cedar: ${JSON.stringify(answer.errors).slice(0, 500)}`);
        return answer.response.decision === "allow";
      };
    },
  };
}

function policyOf(rule: BenchRule): string {
  const { effect, principal, namespace, notNamespace, methods, path, notPath, host, header, ipBlock, group } = rule;
  const who = principal === undefined ? "principal" : `principal == Workload::${JSON.stringify(principal)}`;
  const names = methods?.map((method) => `Action::${JSON.stringify(method)}`);
  const what = names === undefined ? "action" : `action in [${names.join(", ")}]`;
  const conditions = [
    ...asked(namespace, (text) => `context.namespace == ${text}`),
    ...asked(header, (text) => `context.tenant == ${text}`),
    ...asked(path, (text) => `context.path like ${text}`),
    ...asked(host, (text) => `context.host like ${text}`),
    ...asked(group, (text) => `context.groups.contains(${text})`),
    ...asked(ipBlock, (text) => `context.ip.isInRange(ip(${text}))`),
    ...asked(notNamespace, (text) => `context.namespace != ${text}`),
    ...asked(notPath, (text) => `!(context.path like ${text})`),
  ];
  const when = conditions.length === 0 ? "" : ` when { ${conditions.join(" && ")} }`;
  return `${effect === "allow" ? "permit" : "forbid"}(${who}, ${what}, resource)${when};`;
}

function asked(value: string | undefined, condition: (text: string) => string): readonly string[] {
  return value === undefined ? [] : [condition(JSON.stringify(value))];
}

function callOf(request: BenchRequest, preparsedPolicySetId: string): StatefulAuthorizationCall {
  const { namespace, serviceAccount, method, path, host, tenant, ip, groups } = request;
  return {
    principal: { type: "Workload", id: `cluster.local/ns/${namespace}/sa/${serviceAccount}` },
    action: { type: "Action", id: method },
    resource: { type: "Service", id: "bench" },
    context: {
      ...{ namespace, host, tenant, path: path.replace(/\?.*/, ""), groups: [...groups] },
      ip: { __extn: { fn: "ip", arg: ip } },
    },
    preparsedPolicySetId,
    entities: [],
  };
}
