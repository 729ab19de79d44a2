import type { RuleContext } from "./authorization-source.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import { pathValue } from "./path-value.ts";
import { anyValue, listName, port, type ValueCheck } from "./rule-values.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** What a request asks for, combined as in a source. */
export type AuthorizationOperation = Readonly<Record<OperationField, readonly string[]>> & {
  readonly position: DocumentPosition;
};

export type OperationField =
  | ("hosts" | "notHosts" | "ports" | "notPorts")
  | ("methods" | "notMethods" | "paths" | "notPaths");

/** Reads an `operation`, and notes what is wrong with it. */
export function readOperation(operation: FieldReader, { index, position }: RuleContext): AuthorizationOperation {
  const list = (name: OperationField, check: ValueCheck = anyValue): readonly string[] =>
    operation.parsedList(name, check(listName(name)));
  const fields = {
    hosts: list("hosts"),
    notHosts: list("notHosts"),
    ports: list("ports", port),
    notPorts: list("notPorts", port),
    methods: list("methods"),
    notMethods: list("notMethods"),
    paths: list("paths", pathValue),
    notPaths: list("notPaths", pathValue),
  };
  if (Object.keys(fields).every((name) => operation.count(name) === 0)) {
    operation.report(`is not valid: \`to.operation\` must not be empty, found at rule ${index}`);
  }
  refuseUnknownFields(operation);
  return { ...fields, position: position(operation.offset) };
}
