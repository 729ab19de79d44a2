import { type DocumentNode, describeKind, type NodeOf, toJson } from "./document-node.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { DocumentText } from "./document-text.ts";

/**
 * Reads the fields of one map of a document. What is missing or null is absent. What is of the wrong kind is absent too,
 * and a problem at its place in the text.
 *
 * As protobuf's JSON has it, a field is found by its name in lowerCamelCase or in snake_case, and empty text is absent.
 * An exact reader takes the one name, and empty text for what it is, as Kubernetes does.
 */
export interface FieldReader {
  /** Where the map is in its document; empty at the top. */
  readonly path: string;
  /** Where the map is in its text. */
  readonly offset: number;
  /** Whether the field is there, be it valid or not. */
  holds(name: string): boolean;
  /** The text of a field. */
  text(name: string): string | undefined;
  /** The text of a field as `read` makes a value of it; when it throws, its message is the problem. */
  parsed<T>(name: string, read: (text: string) => T): T | undefined;
  /** The texts of a list, each as `read` makes a value of it. */
  parsedList<T>(name: string, read: (text: string) => T): readonly T[];
  /** Whether a field is true. */
  bool(name: string): boolean | undefined;
  /** A whole number from 0 to 4294967295, or what protobuf's JSON takes for one: its decimals as text. */
  integer(name: string): number | undefined;
  /** A field as `JSON.parse` would have it, whatever it is; undefined where it is missing or null. */
  json(name: string): unknown;
  /** Where a field is, or the map if it is not there. */
  position(name?: string): DocumentPosition;
  /** A map within this one. */
  map(name: string): FieldReader | undefined;
  /** A list of maps; `missing` is the problem with an entry that is null, where there are better words for it. */
  maps(name: string, missing?: string): readonly FieldReader[];
  /** How many entries a list has; 0 where there is none. */
  count(name: string): number;
  /** The names of all fields. */
  names(): readonly string[];
  /** Notes a problem with a field of this map, or with the map itself; `message` continues after the path. */
  report(message: string, name?: string): void;
  /** Notes a warning in the same way. */
  warn(message: string, name?: string): void;
  /** The same map, and a text that takes what is said of it from there on instead of the document's. */
  apart(): { readonly reader: FieldReader; readonly about: DocumentText };
  /** The names of fields that nobody has asked for, for documents in which every field has a meaning. */
  unread(): readonly string[];
}

/** What a reader reads about, and how; `exact` is false where it is absent. */
export type FieldReaderOptions = { readonly path: string; readonly about: DocumentText; readonly exact?: boolean };

/** Returns a reader of the fields of `node`. */
export function createFieldReader(
  node: NodeOf<"map">,
  { path, about, exact = false }: FieldReaderOptions,
): FieldReader {
  const asked = new Set<string>();
  const within = (found: FoundOf<"map">): FieldReader =>
    createFieldReader(found.node, { path: found.path, about, exact });

  function find(name: string): Found | undefined {
    const snake = exact ? name : snakeCase(name);
    const entry = node.entries.get(name) ?? node.entries.get(snake);
    const other = snake === name ? undefined : node.entries.get(snake);
    if (other !== undefined && other !== entry && !asked.has(name)) {
      about.report({ offset: other.keyOffset, path: join(path, snake), message: `is ${name} in another spelling` });
    }
    asked.add(name).add(snake);
    if (entry === undefined || entry.value.kind === "null") return undefined;
    return { node: entry.value, path: join(path, name) };
  }

  function field<K extends DocumentNode["kind"]>(name: string, kind: K): FoundOf<K> | undefined {
    const found = find(name);
    return found === undefined ? undefined : ofKind(found, kind, about);
  }

  const isAbsent = (value: DocumentNode): boolean => !exact && value.kind === "text" && value.value === "";

  function parsed<T>(name: string, read: (text: string) => T): T | undefined {
    const found = field(name, "text");
    return found === undefined || isAbsent(found.node) ? undefined : readText(found, read, about);
  }

  function items<K extends DocumentNode["kind"]>(name: string, kind: K, missing?: string): readonly FoundOf<K>[] {
    const list = field(name, "list");
    if (list === undefined) return [];
    return list.node.items.flatMap((item, index) => {
      const entry = { node: item, path: `${list.path}[${index}]` };
      if (item.kind === "null" && missing !== undefined) {
        about.report({ offset: item.offset, path: entry.path, message: missing });
        return [];
      }
      const found = ofKind(entry, kind, about);
      return found === undefined ? [] : [found];
    });
  }

  /** The place of what is said about a field: its value; its key where that is all there is; else the map. */
  function place(message: string, name: string | undefined): Parameters<DocumentText["report"]>[0] {
    const key = name === undefined ? undefined : node.entries.get(name)?.keyOffset;
    const offset = (name === undefined ? undefined : find(name)?.node.offset) ?? key ?? node.offset;
    return { offset, path: name === undefined ? path : join(path, name), message };
  }

  return {
    path,
    offset: node.offset,
    parsed,
    holds(name) {
      const value = find(name)?.node;
      return value !== undefined && !isAbsent(value);
    },
    text: (name) => parsed(name, (text) => text),
    parsedList: (name, read) =>
      items(name, "text").flatMap((found) => {
        const value = readText(found, read, about);
        return value === undefined ? [] : [value];
      }),
    bool: (name) => field(name, "bool")?.node.value,
    integer: (name) => readInteger(find(name), about),
    json(name) {
      const found = find(name);
      return found && toJson(found.node);
    },
    position: (name) => about.position(place("", name).offset),
    apart() {
      const own = about.fresh();
      return { reader: createFieldReader(node, { path, about: own, exact }), about: own };
    },
    map(name) {
      const found = field(name, "map");
      return found && within(found);
    },
    maps: (name, missing) => items(name, "map", missing).map(within),
    count(name) {
      const list = find(name)?.node;
      return list?.kind === "list" ? list.items.length : 0;
    },
    names: () => [...node.entries.keys()],
    report: (message, name) => about.report(place(message, name)),
    warn: (message, name) => about.warn(place(message, name)),
    unread: () => [...node.entries.keys()].filter((name) => !asked.has(name)),
  };
}

function readInteger(found: Found | undefined, about: DocumentText): number | undefined {
  if (found === undefined) return undefined;
  const { node, path } = found;
  const isNumber = node.kind === "number" || (node.kind === "text" && /^[0-9]{1,10}$/.test(node.value));
  const value = isNumber ? Number(node.value) : Number.NaN;
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  about.report({ offset: node.offset, path, message: "is no whole number from 0 to 4294967295" });
  return undefined;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A value and its path. */
type Found = { readonly node: DocumentNode; readonly path: string };
type FoundOf<K extends DocumentNode["kind"]> = { readonly node: NodeOf<K>; readonly path: string };

function ofKind<K extends DocumentNode["kind"]>(found: Found, kind: K, about: DocumentText): FoundOf<K> | undefined {
  const { node, path } = found;
  if (isKind(node, kind)) return { node, path };
  const message = `is ${describeKind(node.kind)}, and not ${describeKind(kind)}`;
  about.report({ offset: node.offset, path, message });
  return undefined;
}

function isKind<K extends DocumentNode["kind"]>(node: DocumentNode, kind: K): node is NodeOf<K> {
  return node.kind === kind;
}

function readText<T>(found: FoundOf<"text">, read: (text: string) => T, about: DocumentText): T | undefined {
  try {
    return read(found.node.value);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    about.report({ offset: found.node.offset, path: found.path, message: `is not valid: ${why}` });
    return undefined;
  }
}

/** Names that are none in JavaScript stand in brackets, so that a path can be read back. */
function join(path: string, name: string): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  if (!plain) return `${path}[${JSON.stringify(name.slice(0, 200))}]`;
  return path === "" ? name : `${path}.${name}`;
}
