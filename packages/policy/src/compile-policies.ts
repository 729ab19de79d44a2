import type { AuthorizationPolicy, Document, DocumentProblem, RefusedDocument, SelectOptions } from "@signet/documents";
import { CompiledPolicy } from "./compiled-policy.ts";
import { compareOctets } from "./match/octets.ts";
import type { PolicyProblem } from "./policy-problem.ts";
import type { TrustDomainBundle } from "./trust-domain-aliases.ts";

/** Documents as they were read; those of other kinds are passed over. */
export type PolicyDocuments = {
  readonly documents: readonly Document[];
  readonly refused: readonly RefusedDocument[];
};

/** How policies are meant in a mesh. */
export type CompileOptions = Partial<SelectOptions> & {
  /** Default `cluster.local`. */
  readonly trustDomain?: string;
  /** Other names of the trust domain, by which policies and peers may call it. Default none. */
  readonly trustDomainAliases?: readonly string[];
  /**
   * Whether each value of a repeated header is compared (default), as Envoy does from 1.38 on, or all of them joined with
   * commas, which lets a client hide a value behind another (CVE-2026-26308).
   */
  readonly headerMatching?: "each" | "joined";
};

/** Policies of a mesh, ready for its workloads. */
export type CompiledPolicies = {
  /** Those in force: as given, and last good versions of what was refused. */
  readonly documents: readonly AuthorizationPolicy[];
  /** What was refused and never was good; it denies everything to the workloads it selects. */
  readonly refused: readonly RefusedDocument[];
  readonly select: SelectOptions;
  readonly policies: readonly CompiledPolicy[];
};

const defaultRootNamespace = "istio-system";
const defaultTrustDomain = "cluster.local";

/**
 * Compiles the authorization policies of a mesh once, and tells what of them cannot be taken as it is written. Never throws.
 *
 * A document that was refused keeps its last good version, found in `lastGood` by namespace and name, or by its file where it
 * could not even be read that far. One that never was good denies everything to the workloads it selects. A condition or a
 * value that cannot be compiled falls to the side of denying: see `PolicyProblem`.
 * @example
 * ```ts
 * import { type AuthorizationPolicy, parseWorkload } from "@signet/documents";
 * import { compilePolicies, decide, policiesFor, requestHeaders } from "@signet/policy";
 * declare const documents: readonly AuthorizationPolicy[];
 * const { compiled } = compilePolicies({ documents, refused: [] }, { trustDomain: "prod.example" });
 * const policies = policiesFor(compiled, parseWorkload("foo/app=httpbin"));
 * decide(policies, { kind: "http", method: "GET", path: "/", host: "httpbin", headers: requestHeaders([]) }).effect;
 * ```
 */
export function compilePolicies(
  { documents, refused }: PolicyDocuments,
  options: CompileOptions = {},
  lastGood?: CompiledPolicies,
): { readonly compiled: CompiledPolicies; readonly problems: readonly (PolicyProblem | DocumentProblem)[] } {
  const given = documents.filter((document) => document.kind === "AuthorizationPolicy");
  const stale = refused.filter(({ kind }) => kind === undefined || kind === "AuthorizationPolicy");
  const { kept, denying } = keepLastGood(given, stale, lastGood?.documents ?? []);
  const inForce = [...given, ...kept];
  const { trustDomain = defaultTrustDomain, trustDomainAliases = [], headerMatching = "each" } = options;
  const bundle: TrustDomainBundle = [trustDomain, ...trustDomainAliases];
  const policies = inForce.map((document) => new CompiledPolicy(document, { bundle, headerMatching }));
  rankRules(policies);
  const { rootNamespace = defaultRootNamespace, selectorsReachGateways } = options;
  const select = { rootNamespace, ...(selectorsReachGateways !== undefined && { selectorsReachGateways }) };
  return {
    compiled: { documents: inForce, refused: denying, select, policies },
    problems: [...stale.flatMap((document) => document.problems), ...policies.flatMap((policy) => policy.problems)],
  };
}

/** By the octets of their ids, as the map is ordered that Envoy looks for the first match in: `rule[10]` before `rule[2]`. */
function rankRules(policies: readonly CompiledPolicy[]): void {
  const rules = policies.flatMap(({ http }) => http);
  rules.sort((one, other) => compareOctets(one.name.id, other.name.id));
  for (const [rank, rule] of rules.entries()) rule.rank = rank;
}

/** Last good versions of what was refused, and what there is none for. */
function keepLastGood(
  given: readonly AuthorizationPolicy[],
  refused: readonly RefusedDocument[],
  lastGood: readonly AuthorizationPolicy[],
): { readonly kept: readonly AuthorizationPolicy[]; readonly denying: readonly RefusedDocument[] } {
  const taken = new Set(given.map(identityOf));
  const left = new Map(lastGood.map((document) => [identityOf(document), document]));
  for (const identity of taken) left.delete(identity);
  const kept: AuthorizationPolicy[] = [];
  const nameless: RefusedDocument[] = [];
  const denying: RefusedDocument[] = [];
  for (const document of refused) {
    const { namespace, name } = document;
    if (namespace === undefined || name === undefined) {
      nameless.push(document);
      continue;
    }
    const good = left.get(identityOf({ namespace, name }));
    // A document of the same name that is good says what the name stands for now.
    if (good === undefined) denying.push(document);
    else kept.push(good);
    left.delete(identityOf({ namespace, name }));
  }
  return keepNameless(nameless, { kept, denying, left });
}

/** Of what cannot be told by name the file tells: all that it held and no longer holds stays, if it is enough. */
function keepNameless(
  nameless: readonly RefusedDocument[],
  {
    kept,
    denying,
    left,
  }: { kept: AuthorizationPolicy[]; denying: RefusedDocument[]; left: ReadonlyMap<string, AuthorizationPolicy> },
): { readonly kept: readonly AuthorizationPolicy[]; readonly denying: readonly RefusedDocument[] } {
  const byFile = Map.groupBy(nameless, ({ position }) => position.file);
  for (const [file, documents] of byFile) {
    const good = [...left.values()].filter(({ position }) => position.file === file);
    kept.push(...good);
    if (good.length < documents.length) denying.push(...documents);
  }
  return { kept, denying };
}

function identityOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
