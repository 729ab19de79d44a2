import { type MutualTlsMode, type PeerAuthentication, peerMtls } from "@signet/documents";
import { mayShareWorkload } from "./attachment.ts";
import { allFacets, type Facet, type RuleFacets } from "./facet.ts";
import { failsOpen, type LintContext } from "./lint-context.ts";
import { quote, type Remark, type Report } from "./lint-finding.ts";

/** Attributes that are read from the peer's certificate. */
const ofCertificate: ReadonlySet<string> = new Set([
  ...["source.principal", "source.namespace", "source.serviceAccount", "source.trustDomain"],
]);

/** Says where a source is told by a certificate that peers need not have, and which PeerAuthentications count for nobody. */
export function checkPeers(context: LintContext, report: Report): void {
  for (const rule of context.rules) {
    const facets = allFacets(rule).filter(({ attribute }) => ofCertificate.has(attribute));
    const weakest = facets.length === 0 ? undefined : weakestMode(rule, context);
    if (weakest === undefined) continue;
    for (const facet of facets) {
      const remark = remarkOn(rule, facet, weakest);
      const place = { document: rule.policy, path: facet.path, position: facet.position };
      if (remark !== undefined) report(place, remark);
    }
  }
  checkScopes(context, report);
}

/** A mode that lets plaintext in, and what has it so. */
type Weakest = { readonly mode: Exclude<MutualTlsMode, "UNSET" | "STRICT">; readonly because: string };

function remarkOn(
  { policy }: RuleFacets,
  { attribute, negative, values }: Facet,
  weakest: Weakest,
): Remark | undefined {
  const fix = "require mutual TLS for these workloads with a PeerAuthentication of mode STRICT";
  const plaintext = weakest.mode === "DISABLE" ? "all peers are plaintext" : "plaintext is let in";
  if (failsOpen(policy, negative)) {
    const effect = negative ? "allowed as not being among them" : "not denied, as it is from nobody";
    return {
      id: "source-needs-mtls",
      severity: "error",
      reason: `${plaintext} (${weakest.because}), and a request in plaintext is ${effect}: ${attribute} ${quote(values.slice(0, 3).join(", "))}`,
      fix: policy.action === "DENY" ? `${fix}, or deny notPrincipals: ["*"] too` : fix,
    };
  }
  if (weakest.mode !== "DISABLE" || negative) return undefined;
  return {
    id: "source-needs-mtls",
    reason: `mutual TLS is off (${weakest.because}), so that no peer has a ${attribute}`,
    fix,
  };
}

/** The weakest mode of any workload that a rule may be about; undefined where all are STRICT. */
function weakestMode({ policy, to, when }: RuleFacets, context: LintContext): Weakest | undefined {
  const { peerAuthentications, rootNamespace } = context;
  // Gateways and waypoints: a gateway's peers are told by its own TLS settings.
  if (policy.targetRefs.length > 0) return undefined;
  const labels = policy.selector?.matchLabels ?? new Map<string, string>();
  const ofWorkloads = peerAuthentications.filter(
    (document) =>
      document.namespace !== rootNamespace &&
      (document.selector?.matchLabels.size ?? 0) > 0 &&
      mayShareWorkload(policy, document, rootNamespace),
  );
  const namespaces = policy.namespace === rootNamespace ? namespacesOf(context) : [policy.namespace];
  const candidates = [
    ...namespaces.map((namespace) => ({ namespace, labels })),
    ...ofWorkloads.map(({ namespace, selector }) => ({
      namespace,
      labels: new Map([...labels, ...(selector?.matchLabels ?? [])]),
    })),
  ];
  const ports = portsOf([...to.flat(), ...when]);
  let found: Weakest | undefined;
  for (const workload of candidates) {
    const { mode, portModes } = peerMtls(peerAuthentications, workload, { rootNamespace });
    for (const one of ports.length > 0
      ? ports.map((port) => portModes.get(port) ?? mode)
      : [mode, ...portModes.values()]) {
      if (one === "STRICT") continue;
      if (found === undefined || one === "PERMISSIVE") found = { mode: one, because: describe(one, workload, context) };
    }
  }
  return found;
}

function namespacesOf({ peerAuthentications, policies, rootNamespace }: LintContext): readonly string[] {
  return [...new Set([rootNamespace, ...[...peerAuthentications, ...policies].map(({ namespace }) => namespace)])];
}

function portsOf(facets: readonly Facet[]): readonly number[] {
  return facets
    .filter(({ attribute, negative }) => attribute === "destination.port" && !negative)
    .flatMap(({ values }) => values.map(Number));
}

type Candidate = { readonly namespace: string; readonly labels: ReadonlyMap<string, string> };

function describe(mode: string, { namespace, labels }: Candidate, { peerAuthentications }: LintContext): string {
  if (peerAuthentications.length === 0) return "no PeerAuthentication says otherwise";
  const pairs = [...labels].map(([key, value]) => `${key}=${value}`);
  return `${mode} for ${quote(`${namespace}${pairs.length > 0 ? `/${pairs.join(",")}` : ""}`)}`;
}

function checkScopes({ peerAuthentications, rootNamespace }: LintContext, report: Report): void {
  const scopes = new Map<string, PeerAuthentication>();
  for (const document of peerAuthentications.toSorted(compareAge)) {
    const labels = [...(document.selector?.matchLabels ?? [])].sort();
    const place = { document, path: "spec.selector", position: document.position };
    if (labels.length > 0 && document.namespace === rootNamespace) {
      report(place, {
        id: "peer-authentication-ignored",
        reason: `with labels in the root namespace ${quote(rootNamespace)} it is for no workload, and nothing says so`,
        fix: "put it in the namespace of the workloads, or leave the selector out for the whole mesh",
      });
      continue;
    }
    const scope = JSON.stringify([document.namespace, labels]);
    const older = scopes.get(scope);
    if (older === undefined) scopes.set(scope, document);
    else {
      report(place, {
        id: "peer-authentication-shadowed",
        reason: `${quote(older.name)} is of the same scope and ${isOlder(older, document) ? "older" : "comes before it"}, so that this one does nothing, its ports included`,
        fix: "make one document of both",
      });
    }
  }
}

function isOlder(one: PeerAuthentication, other: PeerAuthentication): boolean {
  return (one.createdAt?.getTime() ?? 0) < (other.createdAt?.getTime() ?? 0);
}

/** As `peerMtls` has it: age first, and none is the oldest. */
function compareAge(one: PeerAuthentication, other: PeerAuthentication): number {
  const [age, otherAge] = [one, other].map(({ createdAt }) => createdAt?.getTime() ?? Number.NEGATIVE_INFINITY);
  if (age !== otherAge) return (age ?? 0) < (otherAge ?? 0) ? -1 : 1;
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}
