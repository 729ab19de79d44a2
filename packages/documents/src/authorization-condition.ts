import type { RuleContext } from "./authorization-source.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import {
  anyValue,
  ipBlock,
  maxServiceAccounts,
  port,
  printable,
  serviceAccount,
  type ValueCheck,
  wildcard,
} from "./rule-values.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** What an attribute must be: one of `values` if there are any, and none of `notValues`. */
export type AuthorizationCondition = {
  /** As written, such as `request.headers[x-token]`; an attribute there is. */
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  readonly position: DocumentPosition;
};

/** Attributes by name, and what their values are. */
const attributes: ReadonlyMap<string, ValueCheck> = new Map([
  ["source.ip", ipBlock],
  ["remote.ip", ipBlock],
  ["source.namespace", anyValue],
  ["source.serviceAccount", serviceAccount],
  ["source.principal", anyValue],
  ["source.trustDomain", wildcard],
  ["request.auth.principal", anyValue],
  ["request.auth.audiences", anyValue],
  ["request.auth.presenter", anyValue],
  ["destination.ip", ipBlock],
  ["destination.port", port],
  ["connection.sni", anyValue],
]);

/** Attributes with a name in brackets. */
const mapAttributes: readonly string[] = ["request.headers", "request.auth.claims"];
const experimental = "experimental.envoy.filters.";

const notForCustom: readonly string[] = [
  ...["source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal"],
];

/** Whether an attribute is one that a TCP connection has none of. */
export function isHttpAttribute(key: string): boolean {
  return key.startsWith("request.");
}

/** Reads an entry of `when`, and notes what is wrong with it. */
export function readCondition(when: FieldReader, { isCustom, position }: RuleContext): AuthorizationCondition {
  const key = when.text("key") ?? "";
  const fault = key === "" ? "`key` must not be empty" : attributeFault(key, isCustom);
  if (fault !== undefined) when.report(`is not valid: ${fault}`, "key");
  const check = fault === undefined ? (attributes.get(key) ?? anyValue) : anyValue;
  const list = (name: "values" | "notValues", singular: string): readonly string[] => {
    if (check === serviceAccount && when.count(name) > maxServiceAccounts) {
      when.report(`is not valid: may not have more than ${maxServiceAccounts} values`, name);
    }
    return when.parsedList(name, (value) => {
      try {
        return check(key)(value);
      } catch (error) {
        const why = error instanceof Error ? error.message : "it cannot be read";
        throw new Error(`invalid \`${singular}\` for \`key\` ${printable(key)}: ${why}`);
      }
    });
  };
  const values = list("values", "value");
  const notValues = list("notValues", "notValue");
  if (when.count("values") + when.count("notValues") === 0 && key !== "") {
    const why = `at least one of \`values\` or \`notValues\` must be set for key ${printable(key)}`;
    when.report(`is not valid: ${why}`);
  }
  refuseUnknownFields(when);
  return { key, values, notValues, position: position(when.offset) };
}

/**
 * Stricter than Istio, which takes `request.headersX[name]` for valid and then leaves the whole rule out: a DENY rule too.
 */
function attributeFault(key: string, isCustom: boolean): string | undefined {
  if (isCustom && (notForCustom.includes(key) || key.startsWith("request.auth."))) {
    return `${printable(key)} is currently not supported with CUSTOM action`;
  }
  const map = mapAttributes.find((name) => key.startsWith(name));
  if (map !== undefined || key.startsWith(experimental)) {
    const open = map === undefined ? key.indexOf("[") : map.length;
    const isNamed = open > 0 && key[open] === "[" && key.endsWith("]") && open < key.length - 2;
    return isNamed ? undefined : `bad key (${printable(key)}): should have format a[b]`;
  }
  if (attributes.has(key)) return undefined;
  if (key === "destination.namespace") return `attribute ${key} is replaced by the metadata.namespace`;
  if (key.startsWith("destination.labels")) {
    return `attribute ${printable(key)} is replaced by the workload selector`;
  }
  if (key === "destination.name" || key === "destination.user") {
    return `deprecated attribute ${key}: only supported in v1alpha1`;
  }
  return `unknown attribute: ${printable(key)}`;
}
