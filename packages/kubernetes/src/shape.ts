import { KubernetesError, quote } from "./errors.ts";

/** What a field holds. */
export type FieldKind = "string" | "number" | "boolean" | "string-map" | "string-list" | Shape | readonly [Shape];

/** The fields that we read of an object; a name that ends in "?" may be missing. */
export type Shape = { readonly [field: string]: FieldKind };

/**
 * Checks that `value` has the fields of `shape`, and removes optional ones that are null.
 * @throws KubernetesError `response-malformed`, naming the field but not its content
 */
export function checkShape(value: unknown, shape: Shape, where: string): void {
  if (!isRecord(value)) throw malformed(where, "an object");
  for (const [name, kind] of Object.entries(shape)) {
    const optional = name.endsWith("?");
    const field = optional ? name.slice(0, -1) : name;
    const content = Object.hasOwn(value, field) ? value[field] : undefined;
    if (optional && content === null) delete value[field];
    if (optional && (content === undefined || content === null)) continue;
    checkField(content, kind, `${where}.${field}`);
  }
}

function checkField(content: unknown, kind: FieldKind, where: string): void {
  if (kind === "string-map") {
    if (!isRecord(content)) throw malformed(where, "an object");
    for (const text of Object.values(content)) if (typeof text !== "string") throw malformed(where, "text only");
  } else if (kind === "string-list") {
    if (!Array.isArray(content)) throw malformed(where, "a list");
    for (const text of content) if (typeof text !== "string") throw malformed(where, "text only");
  } else if (typeof kind === "string") {
    if (typeof content !== kind) throw malformed(where, `a ${kind}`);
  } else if (Array.isArray(kind)) {
    if (!Array.isArray(content)) throw malformed(where, "a list");
    for (const item of content) checkShape(item, kind[0], `${where}[]`);
  } else {
    checkShape(content, kind as Shape, where);
  }
}

function malformed(where: string, expected: string): KubernetesError {
  return new KubernetesError("response-malformed", `${quote(where)} in an answer of the API server is not ${expected}`);
}

/** Whether a value is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
