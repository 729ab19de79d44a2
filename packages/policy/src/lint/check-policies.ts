import type { AuthorizationPolicy } from "@signet/documents";
import { allFacets, isHttpAttribute, type RuleFacets } from "./facet.ts";
import type { LintContext } from "./lint-context.ts";
import { type Place, quote, type Remark, type Report } from "./lint-finding.ts";

/** Says which policies allow, deny or ignore more than they seem to. */
export function checkPolicies(context: LintContext, report: Report): void {
  for (const rule of context.rules) checkRule(rule, report);
  for (const document of context.policies) {
    const place = { document, path: "", position: document.position };
    for (const remark of [...remarksOnScope(document, context), ...remarksOnAction(document)]) report(place, remark);
    checkTargets(document, context, report);
  }
}

function checkRule(rule: RuleFacets, report: Report): void {
  const place: Place = { document: rule.policy, path: rule.path, position: rule.rule.position };
  const wide = rule.policy.action === "ALLOW" ? allowsAnyone(rule) : undefined;
  if (wide !== undefined) report(place, wide);
  const tcp = onTcp(rule);
  if (tcp !== undefined) report(place, tcp);
  if (!isForGateway(rule.policy)) return;
  for (const facet of allFacets(rule)) {
    if (facet.attribute !== "source.ip") continue;
    report(
      { document: rule.policy, path: facet.path, position: facet.position },
      {
        id: "ip-blocks-behind-proxy",
        reason:
          "at a gateway the peer of the connection is, as a rule, the load balancer before it, whatever the client's address",
        fix: "use remoteIpBlocks or remote.ip, with numTrustedProxies of the mesh config or the PROXY protocol",
      },
    );
  }
}

function allowsAnyone({ rule, from, when }: RuleFacets): Remark | undefined {
  const who = ["source.", "remote.", "request.auth.", "experimental."];
  const saysWho = when.some(({ attribute }) => who.some((prefix) => attribute.startsWith(prefix)));
  if (from.length > 0 || saysWho) return undefined;
  if (rule.to.length === 0 && when.length === 0) {
    return {
      id: "allow-everything",
      reason: "this rule matches every request, from whomever, so that the policy's other rules do nothing",
      fix: "say who may do what, or leave a comment that everything is meant",
    };
  }
  return {
    id: "allow-anyone",
    reason: "this rule does not say who may, so that anyone may, also in plaintext and without a token",
    fix: "add from with principals, namespaces, serviceAccounts or requestPrincipals",
  };
}

/** What a rule comes to on a TCP port, where everything about HTTP is left out of it. */
function onTcp(rule: RuleFacets): Remark | undefined {
  const { action } = rule.policy;
  if (action === "ALLOW") return undefined;
  const facets = allFacets(rule);
  const http = facets.filter(({ attribute }) => isHttpAttribute(attribute));
  const [first] = http;
  const namesPort = (list: RuleFacets["when"]): boolean =>
    list.some(({ attribute }) => attribute === "destination.port");
  const isOfPorts = namesPort(rule.when) || (rule.to.length > 0 && rule.to.every(namesPort));
  if (first === undefined || isOfPorts) return undefined;
  const rest = facets.length === http.length ? "every connection" : "whatever is left of its conditions";
  const does = { DENY: "denies", AUDIT: "marks", CUSTOM: "asks its provider about" }[action];
  return {
    id: "http-fields-on-tcp",
    ...(action === "DENY" ? {} : { severity: action === "AUDIT" ? ("note" as const) : ("warning" as const) }),
    reason: `on a TCP port conditions about HTTP (${first.attribute}) are left out, so that this rule ${does} ${rest} there`,
    fix: "name the HTTP ports with ports in every operation, or with a condition on destination.port",
  };
}

function isForGateway({ targetRefs, selector }: AuthorizationPolicy): boolean {
  if (targetRefs.some(({ kind }) => kind === "Gateway")) return true;
  for (const [key, value] of selector?.matchLabels ?? []) {
    if (key === "gateway.networking.k8s.io/gateway-name") return true;
    if ((key === "istio" || key === "app") && value.endsWith("gateway")) return true;
  }
  return false;
}

function remarksOnScope(document: AuthorizationPolicy, context: LintContext): readonly Remark[] {
  const { action, dryRun } = document;
  const allowing = context.policiesNear(document).filter((policy) => policy.action === "ALLOW");
  const hasAllow = allowing.some((policy) => !policy.dryRun);
  if (action === "ALLOW" && dryRun && !hasAllow) {
    return [
      {
        id: "dry-run-allows-all",
        reason:
          "no other ALLOW policy is enforced for these workloads, so that nothing but DENY policies holds for them",
        fix: "enforce it, or add an ALLOW policy that is",
      },
    ];
  }
  const remarks: Remark[] = [];
  if (
    (action === "DENY" || action === "CUSTOM") &&
    !dryRun &&
    !hasAllow &&
    document.rules.length > 0 &&
    !deniesAll(document)
  ) {
    remarks.push({
      id: "no-allow-policy",
      reason: `no ALLOW policy is for these workloads, so that whatever this policy does not match is allowed`,
      fix: "add an ALLOW policy for what is wanted; one without rules allows nothing",
    });
  }
  if (action === "CUSTOM") remarks.push(...remarksOnProvider(document, context));
  return remarks;
}

function deniesAll({ action, rules }: AuthorizationPolicy): boolean {
  return action === "DENY" && rules.some(({ from, to, when }) => from.length + to.length + when.length === 0);
}

function remarksOnProvider(document: AuthorizationPolicy, context: LintContext): readonly Remark[] {
  const name = document.provider ?? "";
  const remarks: Remark[] = [];
  const others = new Set(
    context.policiesNear(document).flatMap(({ action, provider }) => (action === "CUSTOM" ? [provider ?? ""] : [])),
  );
  others.delete(name);
  if (others.size > 0) {
    remarks.push({
      id: "several-providers",
      reason: `${[...others].map(quote).join(", ")} may be asked about the same workloads as ${quote(name)}: Istio denies what they would be asked about unless PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS is true`,
      fix: "use one provider for a workload, or set it",
    });
  }
  if (context.meshConfig === undefined) return remarks;
  const { extensionProviders } = context.meshConfig;
  const provider = extensionProviders.find((other) => other.name === name);
  if (provider === undefined || provider.kind === "invalid") {
    const known = extensionProviders.map((other) => quote(other.name)).join(", ");
    const why =
      provider === undefined
        ? `there is no such provider in the mesh config (${known || "there are none"})`
        : "it is not valid";
    remarks.push({
      id: "provider-unknown",
      reason: `${quote(name)} cannot be asked, as ${why}: whatever these rules match is denied`,
      fix: "name a provider that extensionProviders of the mesh config has, and that is valid",
    });
    return remarks;
  }
  if (provider.kind === "http") {
    remarks.push({
      id: "provider-http-on-tcp",
      reason: `${quote(name)} is asked by HTTP, so that this policy does nothing on TCP ports`,
      fix: "use envoyExtAuthzGrpc if TCP matters",
    });
  }
  if (provider.failOpen) {
    remarks.push({
      id: "provider-fails-open",
      reason: `${quote(name)} lets requests through when it does not answer, as its failOpen says`,
      fix: "set failOpen to false unless that is meant",
    });
  }
  return remarks;
}

function remarksOnAction({ action }: AuthorizationPolicy): readonly Remark[] {
  if (action !== "AUDIT") return [];
  return [
    {
      id: "audit-unseen",
      reason:
        "AUDIT sets the metadata access_log_hint and nothing else: without a log that looks for it nobody sees anything",
      fix: "see that an access log or a plugin of the mesh reads it",
    },
  ];
}

function checkTargets(document: AuthorizationPolicy, { rootNamespace }: LintContext, report: Report): void {
  for (const [index, { kind, name }] of document.targetRefs.entries()) {
    if (kind !== "GatewayClass") continue;
    const why =
      name !== "istio-waypoint"
        ? `the only class that is looked for is "istio-waypoint"`
        : document.namespace !== rootNamespace
          ? `it counts in the root namespace ${quote(rootNamespace)} alone`
          : undefined;
    if (why === undefined) continue;
    report(
      { document, path: `spec.targetRefs[${index}]`, position: document.position },
      {
        id: "target-ignored",
        reason: `GatewayClass ${quote(name)} is found by nobody, as ${why}`,
        fix: "target a Gateway, a Service or a ServiceEntry, or move the policy",
      },
    );
  }
}
