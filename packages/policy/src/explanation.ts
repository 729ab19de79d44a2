import type { AuthorizationAction, DocumentPosition } from "@signet/documents";
import type { JsonValue } from "./authorization-request.ts";
import type { CustomMatch, Decision, RuleName } from "./decision.ts";

/** Why a decision is what it is. A value of JSON throughout, but for `undefined`, which JSON leaves out. */
export type Explanation = {
  readonly decision: Decision;
  /** Providers that have a say before. */
  readonly custom: readonly CustomMatch[];
  /** Rules that were looked at: first the one that decided, then what matched, then by how few conditions fail. */
  readonly rules: readonly ExplainedRule[];
  /** How many rules more there are than are told of. */
  readonly omitted: number;
  /** How the request could differ and be allowed; absent where it is allowed, and where nothing was found. */
  readonly nearestAllow?: NearestAllow;
};

/** One rule as it was compared with the request. */
export type ExplainedRule = RuleName & {
  readonly action: AuthorizationAction;
  /** Whether it is only watched. */
  readonly dryRun: boolean;
  readonly matched: boolean;
  /** Whether it is the one that decided. */
  readonly decided: boolean;
  readonly position: DocumentPosition;
  /**
   * Conditions that fail, of the source and the operation that come closest, in the order in which they are written; the
   * first one is what the rule fails by. Empty for a rule that matched.
   */
  readonly failed: readonly ExplainedCondition[];
  /** Conditions that hold, of that source and operation. */
  readonly held: readonly ExplainedCondition[];
};

/** One condition, and what the request has. */
export type ExplainedCondition = {
  /** Where it is written: `from[0].source.principals`, `to[1].operation.notPaths`, `when[request.headers[x-team]]`. */
  readonly place: string;
  /** What it is about, for people. */
  readonly attribute: string;
  /** Whether none of `expected` may match. */
  readonly negated: boolean;
  /** As written, at most 20 of them. */
  readonly expected: readonly string[];
  /** What the request has; absent where it has none. Headers and claims that are credentials are `(hidden)`. */
  readonly actual?: JsonValue;
};

/** The smallest change found that flips the decision. */
export type NearestAllow = {
  readonly changes: readonly AttributeChange[];
  /** What is decided then. */
  readonly decision: Decision;
};

export type AttributeChange = {
  readonly attribute: string;
  /** Absent where there is none now. */
  readonly from?: JsonValue;
  /** Absent where there must be none. */
  readonly to?: JsonValue;
};
