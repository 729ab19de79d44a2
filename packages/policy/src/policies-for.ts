import {
  type AuthorizationAction,
  type AuthorizationPolicy,
  type RefusedDocument,
  selectDocuments,
  type Workload,
} from "@signet/documents";
import type { CompiledPolicies } from "./compile-policies.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import type { Decision } from "./decision.ts";
import { compareOctets } from "./match/octets.ts";
import { RuleSet } from "./rules/rule-set.ts";

/** The policies that apply to one workload, indexed: for HTTP at once, for TCP when the first connection is decided. */
export class WorkloadPolicies {
  /** In order of namespace and name. */
  readonly documents: readonly AuthorizationPolicy[];
  readonly http: ActionSets;
  readonly #policies: readonly CompiledPolicy[];
  #tcp: ActionSets | undefined;

  constructor(policies: readonly CompiledPolicy[], refused: Decision | undefined) {
    this.documents = policies.map(({ document }) => document);
    this.#policies = policies;
    this.http = actionSets(policies, "http", refused);
  }

  get tcp(): ActionSets {
    this.#tcp ??= actionSets(this.#policies, "tcp", this.http.refused);
    return this.#tcp;
  }
}

/** Rules by what they do. A set may hold no rules and yet be there: then it matches nothing. */
export type ActionSets = {
  /** By provider, in order of its name's octets. */
  readonly custom: readonly { readonly provider: string; readonly rules: RuleSet }[];
  readonly audit: RuleSet | undefined;
  /** DENY and ALLOW, looked for at once. */
  readonly enforced: RuleSet;
  /** Whether there is an ALLOW policy, if only one whose rules cannot match. */
  readonly hasAllow: boolean;
  readonly shadowDeny: RuleSet | undefined;
  readonly shadowAllow: RuleSet | undefined;
  /** The decision where a document could not be read and never could: to deny, whatever the rest says. */
  readonly refused: Decision | undefined;
};

/**
 * Returns the policies that apply to a workload, indexed so that deciding costs what could match and not what exists.
 *
 * Keep the result: making it takes time for each policy, deciding hardly any.
 * @example
 * ```ts
 * import { parseWorkload } from "@signet/documents";
 * import { compilePolicies, decide, policiesFor } from "@signet/policy";
 * const { compiled } = compilePolicies({ documents: [], refused: [] });
 * const policies = policiesFor(compiled, parseWorkload("foo/app=httpbin"));
 * decide(policies, { kind: "tcp", destinationPort: 5432 }).because; // "no-policy"
 * ```
 */
export function policiesFor(compiled: CompiledPolicies, workload: Workload): WorkloadPolicies {
  const byDocument = new Map(compiled.policies.map((policy) => [policy.document, policy]));
  const policies = selectDocuments(compiled.documents, workload, compiled.select).flatMap(
    (document) => byDocument.get(document) ?? [],
  );
  const [refused] = selectDocuments(compiled.refused, workload, compiled.select);
  return new WorkloadPolicies(policies, refused && refusedDecision(refused));
}

function refusedDecision({ namespace, name }: RefusedDocument): Decision {
  const policy = namespace !== undefined && name !== undefined && { policy: { namespace, name } };
  return { effect: "deny", because: "deny-matched", ...policy, audit: [], shadow: {} };
}

function actionSets(
  policies: readonly CompiledPolicy[],
  layer: "http" | "tcp",
  refused: Decision | undefined,
): ActionSets {
  const rulesOf = (some: readonly CompiledPolicy[]): RuleSet => new RuleSet(some.flatMap((policy) => policy[layer]));
  const setOf = (action: AuthorizationAction, dryRun?: boolean): RuleSet | undefined => {
    const some = policies.filter(
      ({ document }) => document.action === action && (dryRun === undefined || document.dryRun === dryRun),
    );
    return some.length === 0 ? undefined : rulesOf(some);
  };
  const enforced = policies.filter(
    ({ document: { action, dryRun } }) => !dryRun && (action === "DENY" || action === "ALLOW"),
  );
  const custom = Map.groupBy(
    policies.filter(({ document }) => document.action === "CUSTOM"),
    ({ document }) => document.provider ?? "",
  );
  return {
    custom: [...custom]
      .sort(([one], [other]) => compareOctets(one, other))
      .map(([provider, some]) => ({ provider, rules: rulesOf(some) })),
    // Neither AUDIT nor CUSTOM knows dry-run; documents that ask for it are refused.
    audit: setOf("AUDIT"),
    enforced: rulesOf(enforced),
    hasAllow: enforced.some(({ document }) => document.action === "ALLOW"),
    shadowDeny: setOf("DENY", true),
    shadowAllow: setOf("ALLOW", true),
    refused,
  };
}
