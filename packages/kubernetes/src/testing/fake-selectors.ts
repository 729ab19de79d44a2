import { badRequest } from "./fake-refusal.ts";
import { recordAt, type StoredObject } from "./fake-store.ts";

type Predicate = (object: StoredObject) => boolean;

const selectable = [
  ...["metadata.name", "metadata.namespace", "spec.nodeName", "spec.serviceAccountName", "spec.signerName"],
  ...["status.phase", "type"],
];

/** Whether objects meet both selectors; absent ones are met by all. */
export function parseSelectors(labels: string | undefined, fields: string | undefined): Predicate {
  const requirements = [...split(labels).map(parseLabelRequirement), ...split(fields).map(parseFieldRequirement)];
  return (object) => requirements.every((requirement) => requirement(object));
}

/** At commas outside parentheses. */
function split(selector: string | undefined): readonly string[] {
  const parts = (selector ?? "").split(/,(?![^(]*\))/);
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function parseLabelRequirement(text: string): Predicate {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (object) => values.includes(labelOf(object, key) ?? "\0") === (operator === "in");
  }
  const equality = /^([^!=]+?)\s*(==|=|!=)\s*([^!=]*)$/.exec(text);
  if (equality !== null) {
    const [, key = "", operator, value = ""] = equality;
    return (object) => (labelOf(object, key) === value) === (operator !== "!=");
  }
  const presence = /^(!?)([^\s!=]+)$/.exec(text);
  if (presence === null) throw badRequest(`unable to parse requirement: ${text}`);
  const [, not = "", key = ""] = presence;
  return (object) => (labelOf(object, key) !== undefined) === (not === "");
}

function parseFieldRequirement(text: string): Predicate {
  const [, path = "", operator, value = ""] = /^([^!=]+)(==|=|!=)(.*)$/.exec(text) ?? [];
  if (!selectable.includes(path)) throw badRequest(`field label not supported: ${path}`);
  return (object) => (fieldOf(object, path) === value) === (operator !== "!=");
}

function labelOf(object: StoredObject, key: string): string | undefined {
  const value = recordAt(object.metadata, "labels")[key];
  return typeof value === "string" ? value : undefined;
}

function fieldOf(object: StoredObject, path: string): unknown {
  const [first = "", second] = path.split(".");
  const content = second === undefined ? object[first] : recordAt(object, first)[second];
  return content ?? "";
}
