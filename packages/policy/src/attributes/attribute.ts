import type { AuthorizationAction } from "@signet/documents";
import type { Facts } from "../facts.ts";
import type { IndexKey } from "../rules/index-key.ts";
import type { TrustDomainBundle } from "../trust-domain-aliases.ts";
import type { AttributeEdit } from "./attribute-edit.ts";

/** What compiling a condition has to know beside its values. */
export type CompileContext = {
  readonly action: AuthorizationAction;
  /** Of the policy. */
  readonly namespace: string;
  readonly bundle: TrustDomainBundle;
  readonly headerMatching: "each" | "joined";
};

/** Says whether one of the values matches; `unknown` where the request's attribute is no such thing at all. */
export type ValueTest = (facts: Facts) => boolean | "unknown";

/** Some values, ready to be compared with requests. */
export type CompiledValues = {
  readonly test: ValueTest;
  /**
   * Where requests that one of the values matches can be found: each matches one of the keys at least, though what matches
   * a key need not match a value. Absent where no key tells them from others.
   */
  readonly keys?: readonly IndexKey[];
  /** Whether, the other way round, what matches a key matches a value too. Default false. */
  readonly keysAreExact?: boolean;
};

/** Something of a request that policies compare with values. */
export type Attribute = {
  /** For people. */
  readonly title: string;
  readonly httpOnly: boolean;
  /** What comparing costs, beside a method: cheap conditions are looked at first. */
  readonly cost: number;
  /** Says what is wrong with a value that can match nothing, for people; undefined if nothing is. */
  readonly fault?: (value: string) => string | undefined;
  /** Of values without a fault, one at least. */
  readonly compile: (values: readonly string[], context: CompileContext) => CompiledValues;
  /** What a request has, for people and JSON: undefined where it has none. */
  readonly read: (facts: Facts, context: CompileContext) => unknown;
  readonly edit: AttributeEdit;
};
