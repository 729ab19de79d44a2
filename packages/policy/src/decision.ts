/** Which policy. */
export type PolicyName = { readonly namespace: string; readonly name: string };

/** One rule of a policy. */
export type RuleName = {
  readonly policy: PolicyName;
  /** From 0, as the rules are written. */
  readonly ruleIndex: number;
  /** As Envoy's filters call it: `ns[NS]-policy[NAME]-rule[i]`. */
  readonly id: string;
};

/**
 * Why a request is allowed or denied: no ALLOW policy applies and no DENY policy matched; a rule of an ALLOW policy matched;
 * ALLOW policies apply and none matched; a DENY policy matched, or there is a policy that could not be read and never could.
 */
export type DecisionReason = "no-policy" | "allow-matched" | "no-allow-matched" | "deny-matched";

/** What becomes of a request, and why. */
export type Decision = {
  readonly effect: "allow" | "deny";
  readonly because: DecisionReason;
  /** The policy that decided; absent where none matched, and where what denies could not even be read a name from. */
  readonly policy?: PolicyName;
  /** Absent where `policy` is, and where the policy could not be read. */
  readonly ruleIndex?: number;
  /** The effective policy id: of all rules that match, the one whose id is smallest, byte by byte. */
  readonly id?: string;
  /** Every rule of an AUDIT policy that matches, in order of id. */
  readonly audit: readonly RuleName[];
  /** What policies with `istio.io/dry-run` would have decided; each action is judged alone, as Envoy's shadow rules are. */
  readonly shadow: ShadowResults;
};

export type ShadowResults = {
  /** There exactly if an ALLOW policy is on dry-run. Denied when none of them matches. */
  readonly allow?: ShadowResult;
  /** There exactly if a DENY policy is on dry-run. */
  readonly deny?: ShadowResult;
};

export type ShadowResult = { readonly effect: "allow" | "deny"; readonly rule?: RuleName };

/** A provider that must be asked about a request, and the rule that says so. */
export type CustomMatch = {
  /** The name in `extensionProviders` of the mesh config. */
  readonly provider: string;
  /** Of all rules for this provider that match, the one whose id is smallest. */
  readonly rule: RuleName;
};
