import { withSeverity } from "./check-values.ts";
import { allFacets } from "./facet.ts";
import type { LintContext } from "./lint-context.ts";
import { quote, type Remark, type Report } from "./lint-finding.ts";

/** Says which principals and trust domains no workload of the mesh has. */
export function checkPrincipals(context: LintContext, report: Report): void {
  for (const rule of context.rules) {
    for (const facet of allFacets(rule)) {
      const check = checks[facet.attribute];
      if (check === undefined) continue;
      for (const [index, value] of facet.values.entries()) {
        const remark = check(value, context);
        const place = { document: rule.policy, path: `${facet.path}[${index}]`, position: facet.position };
        if (remark !== undefined) report(place, withSeverity(remark, rule, facet));
      }
    }
  }
}

type Check = (value: string, context: LintContext) => Remark | undefined;

const checks: Readonly<Record<string, Check | undefined>> = {
  "source.principal": checkPrincipal,
  "source.trustDomain": checkTrustDomain,
};

const scheme = "spiffe://";

function checkPrincipal(value: string, context: LintContext): Remark | undefined {
  if (value.startsWith(scheme)) {
    return {
      id: "principal-shape",
      reason: `${scheme} is put in front of every principal, so that ${quote(value)} has it twice`,
      fix: `write ${quote(value.slice(scheme.length))}`,
    };
  }
  if (value.startsWith("*")) return undefined;
  const [first = "", ...rest] = value.split("/");
  if (!value.endsWith("*") && (rest.length === 0 || first === "" || first === "ns" || /\s/.test(value))) {
    return {
      id: "principal-shape",
      reason: `${quote(value)} is no principal: one is <trust domain>/ns/<namespace>/sa/<service account>`,
      fix: "write all of it, or use namespaces or serviceAccounts",
    };
  }
  if (first.includes("*") || rest.length === 0) return undefined;
  return rest.length === 4 ? unknown(first, value, context) : notExpanded(first, value, context);
}

/** Only the mesh config can tell. */
function unknown(trustDomain: string, value: string, context: LintContext): Remark | undefined {
  const { meshConfig, trustDomains } = context;
  if (meshConfig === undefined || trustDomain === "cluster.local" || trustDomains.has(trustDomain)) return undefined;
  return {
    id: "trust-domain-unknown",
    reason: `the mesh config knows no trust domain ${quote(trustDomain)}, so that no peer is ${quote(value)}`,
    fix: `write one of ${[...trustDomains].map(quote).join(", ")}, or add it to trustDomainAliases`,
  };
}

function notExpanded(first: string, value: string, { meshConfig, trustDomains }: LintContext): Remark | undefined {
  if (meshConfig === undefined) return undefined;
  const own = meshConfig.trustDomain ?? "cluster.local";
  const isName =
    first === "cluster.local" || first === own || meshConfig.trustDomainAliases.some((name) => name === first);
  if (!isName || (first === own && meshConfig.trustDomainAliases.length === 0)) return undefined;
  const others = [...trustDomains].filter((name) => name !== first);
  return {
    id: "alias-not-expanded",
    reason: `aliases count for <trust domain>/ns/<namespace>/sa/<service account> alone: ${quote(value)} is ${quote(first)} only, and not ${others.map(quote).join(" or ")}`,
    fix: "use namespaces or serviceAccounts, which look at no trust domain, or list the value for each of them",
  };
}

function checkTrustDomain(value: string, context: LintContext): Remark | undefined {
  if (value.includes("/")) {
    return {
      id: "principal-shape",
      reason: `${quote(value)} is no trust domain, as there is a slash in it`,
      fix: "write the trust domain alone, and use source.namespace beside it",
    };
  }
  return value.includes("*") ? undefined : unknown(value, value, context);
}
