import { type AuthorizationCondition, isHttpAttribute, readCondition } from "./authorization-condition.ts";
import { type AuthorizationOperation, readOperation } from "./authorization-operation.ts";
import {
  type AuthorizationSource,
  httpSourceFields,
  type RuleContext,
  readSource,
  type SourceField,
} from "./authorization-source.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** Matches where a source, an operation and every condition match. */
export type AuthorizationRule = {
  /** One of them must match; none are any source. At most 512. */
  readonly from: readonly AuthorizationSource[];
  /** One of them must match; none are any operation. */
  readonly to: readonly AuthorizationOperation[];
  readonly when: readonly AuthorizationCondition[];
  readonly position: DocumentPosition;
};

const maxSources = 512;

/** Reads one of `rules`, and notes what is wrong with it. */
export function readRule(rule: FieldReader, context: RuleContext): AuthorizationRule {
  const { index, position } = context;
  if (rule.count("from") > maxSources) rule.report(`is not valid: must have at most ${maxSources} items`, "from");
  for (const name of ["from", "to"]) {
    if (!rule.holds(name) || rule.count(name) > 0) continue;
    rule.warn(
      `is empty, which is as if it were absent: the rule is about any ${name === "to" ? "operation" : "source"}`,
      name,
    );
  }
  const read = {
    from: readEach(rule, { list: "from", entry: "source", index }).map((source) => readSource(source, context)),
    to: readEach(rule, { list: "to", entry: "operation", index }).map((to) => readOperation(to, context)),
    when: rule
      .maps("when", "is not valid: when field cannot be nil")
      .map((condition) => readCondition(condition, context)),
    position: position(rule.offset),
  };
  refuseUnknownFields(rule);
  return read;
}

/** What there is to read of a list of maps with one field each. */
type Entries = { readonly list: "from" | "to"; readonly entry: "source" | "operation"; readonly index: number };

function readEach(rule: FieldReader, { list, entry, index }: Entries): readonly FieldReader[] {
  return rule.maps(list, `is not valid: \`${list}\` must not be nil, found at rule ${index}`).flatMap((item) => {
    const inner = item.map(entry);
    if (!item.holds(entry)) item.report(`is not valid: \`${list}.${entry}\` must not be nil, found at rule ${index}`);
    refuseUnknownFields(item);
    return inner === undefined ? [] : [inner];
  });
}

/**
 * Whether a DENY rule, of which a TCP connection leaves out what is about HTTP, would deny connections to ports it is not
 * about. As Istio has it, and besides for rules that are conditions alone.
 */
export function deniesAllTcp({ from, to, when }: AuthorizationRule): boolean {
  const hasTcpSource = from.some((source) =>
    Object.entries(source).some(([name, values]) => !isHttpOnly(name) && Array.isArray(values) && values.length > 0),
  );
  const hasPorts = to.some(({ ports, notPorts }) => ports.length + notPorts.length > 0);
  const isOfPort = when.some(({ key }) => key === "destination.port");
  const hasTcpCondition = when.some(({ key }) => !isHttpAttribute(key));
  if (to.length > 0) return !hasPorts && !isOfPort;
  return from.length + when.length > 0 && !hasTcpSource && !hasTcpCondition;
}

function isHttpOnly(name: string): boolean {
  return httpSourceFields.some((field: SourceField) => field === name);
}
