import { type DocumentNode, describeKind, type NodeOf } from "./document-node.ts";
import type { DocumentText } from "./document-text.ts";

/**
 * Reads the fields of one map of a document. What is missing, null or, as in protobuf's JSON, empty text is absent; what is
 * of the wrong kind is absent too, and a problem at its place in the text.
 *
 * A field is found by its name in lowerCamelCase, or in the snake_case that protobuf's JSON accepts as well.
 */
export interface FieldReader {
  /** Where the map is in its document; empty at the top. */
  readonly path: string;
  /** Whether the field is there, be it valid or not. */
  holds(name: string): boolean;
  /** The text of a field. */
  text(name: string): string | undefined;
  /** The text of a field as `read` makes a value of it; when it throws, its message is the problem. */
  parsed<T>(name: string, read: (text: string) => T): T | undefined;
  /** The texts of a list, each as `read` makes a value of it. */
  parsedList<T>(name: string, read: (text: string) => T): readonly T[];
  /** A map within this one. */
  map(name: string): FieldReader | undefined;
  /** A list of maps. */
  maps(name: string): readonly FieldReader[];
  /** Notes a problem with a field of this map, or with the map itself; `message` continues after the path. */
  report(message: string, name?: string): void;
  /** The names of fields that nobody has asked for, for documents in which every field has a meaning. */
  unread(): readonly string[];
}

/** Returns a reader of the fields of `node`. */
export function createFieldReader(
  node: NodeOf<"map">,
  { path, about }: { readonly path: string; readonly about: DocumentText },
): FieldReader {
  const asked = new Set<string>();

  function find(name: string): Found | undefined {
    const snake = snakeCase(name);
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

  function parsed<T>(name: string, read: (text: string) => T): T | undefined {
    const found = field(name, "text");
    return found === undefined || found.node.value === "" ? undefined : readText(found, read, about);
  }

  function items<K extends DocumentNode["kind"]>(name: string, kind: K): readonly FoundOf<K>[] {
    const list = field(name, "list");
    if (list === undefined) return [];
    return list.node.items.flatMap((item, index) => {
      const found = ofKind({ node: item, path: `${list.path}[${index}]` }, kind, about);
      return found === undefined ? [] : [found];
    });
  }

  return {
    path,
    parsed,
    holds(name) {
      const value = find(name)?.node;
      return value !== undefined && !(value.kind === "text" && value.value === "");
    },
    text: (name) => parsed(name, (text) => text),
    parsedList: (name, read) =>
      items(name, "text").flatMap((found) => {
        const value = readText(found, read, about);
        return value === undefined ? [] : [value];
      }),
    map(name) {
      const found = field(name, "map");
      return found && createFieldReader(found.node, { path: found.path, about });
    },
    maps: (name) => items(name, "map").map((found) => createFieldReader(found.node, { path: found.path, about })),
    report(message, name) {
      const offset = (name === undefined ? undefined : find(name)?.node.offset) ?? node.offset;
      about.report({ offset, path: name === undefined ? path : join(path, name), message });
    },
    unread: () => [...node.entries.keys()].filter((name) => !asked.has(name)),
  };
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
