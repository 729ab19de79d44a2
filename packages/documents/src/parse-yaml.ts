import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { DocumentNode, MapEntry } from "./document-node.ts";
import type { DocumentText } from "./document-text.ts";
import type { TextSpan } from "./split-yaml.ts";

/** Largest text that is one document, in UTF-16 code units. */
export const maxTextLength = 524_288;

/** Most values of one text, those behind an alias counted at every alias: what few lines can name may be endless. */
const maxNodes = 200_000;

/** Deepest nesting of maps and lists. */
const maxDepth = 64;

/**
 * Returns the documents of a YAML or JSON text and notes what is wrong with it; with a problem, none. Never throws.
 *
 * YAML 1.2 with the core schema and nothing more: no tags but those of the core schema, no merge keys, no directives, keys
 * are scalars and appear once. Aliases are followed and what they add up to is bounded, as are size and depth.
 */
export function parseYaml(text: string, about: DocumentText): readonly DocumentNode[] {
  const nodes = readYaml(text, about, { start: 0, end: text.length });
  return about.problems.length > 0 ? [] : nodes;
}

/**
 * Reads like `parseYaml` the part of a text that `span` is, and returns what could be read of it in spite of its problems:
 * enough to tell which document it is that cannot be used. Offsets are into the whole text.
 */
export function readYaml(text: string, about: DocumentText, span: TextSpan): readonly DocumentNode[] {
  const { start, end } = span;
  if (end - start > maxTextLength) {
    about.report({ offset: start, path: "", message: `is longer than ${maxTextLength} characters` });
    return [];
  }
  const nodes: DocumentNode[] = [];
  for (const document of parseText(text.slice(start, end), about, start)) {
    const node = convertDocument(document, about, start);
    if (node !== undefined) nodes.push(node);
  }
  return nodes;
}

type ParsedDocument = Document.Parsed<ParsedNode>;

function parseText(text: string, about: DocumentText, start: number): readonly ParsedDocument[] {
  try {
    const documents = parseAllDocuments(text, {
      // Its own check compares every key with every other; ours is below.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
      resolveKnownTags: false,
    });
    const parsed = Array.isArray(documents) ? documents : [];
    for (const document of parsed) reportErrors(document, about, start);
    return parsed;
  } catch (error) {
    // Recursion that its own limits have missed; anything else would be a fault of the library, and is no document either.
    const message = error instanceof RangeError ? "is nested too deeply" : "cannot be read as YAML";
    about.report({ offset: start, path: "", message });
    return [];
  }
}

function reportErrors(document: ParsedDocument, about: DocumentText, start: number): void {
  const { directives, errors, warnings } = document;
  for (const { pos, code, message } of [...errors.slice(0, 20), ...warnings.slice(0, 20)]) {
    // The stack has ended before our own limit was looked at.
    const deep = code === "RESOURCE_EXHAUSTION";
    const fault = deep ? `is nested more than ${maxDepth} deep` : `is not valid: ${printable(message)}`;
    about.report({ offset: start + pos[0], path: "", message: fault });
  }
  if (directives.yaml.explicit === true && directives.yaml.version !== "1.2") {
    const message = `asks for YAML ${directives.yaml.version}, and only 1.2 is read`;
    about.report({ offset: start, path: "", message });
  }
}

/** Sentences of the library quote the text. */
function printable(message: string): string {
  return JSON.stringify(message.slice(0, 200)).slice(1, -1);
}

/** What is known while one document is converted, in the order of its text. */
type Conversion = {
  readonly about: DocumentText;
  /** Where in the whole text the offsets of the library begin. */
  readonly start: number;
  readonly anchors: Map<string, Anchored>;
  nodes: number;
};

/** `undefined` while what the anchor names is being converted: an alias to it would be its own part. */
type Anchored = { readonly node: DocumentNode; readonly size: number } | undefined;

/** Ends a conversion; the problem is noted by whoever catches it. */
class Unreadable extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

function convertDocument(document: ParsedDocument, about: DocumentText, start: number): DocumentNode | undefined {
  if (document.contents === null) return undefined;
  try {
    return convert(document.contents, { about, start, anchors: new Map(), nodes: 0 }, 0);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    about.report({ offset: error.offset, path: "", message: error.message });
    return undefined;
  }
}

function convert(node: Node, conversion: Conversion, depth: number): DocumentNode {
  const offset = offsetOf(node, conversion);
  if (depth > maxDepth) throw new Unreadable(offset, `is nested more than ${maxDepth} deep`);
  if (isAlias(node)) return follow(node.source, offset, conversion);
  const before = conversion.nodes;
  count(1, offset, conversion);
  const { anchor } = node as { readonly anchor?: string };
  if (anchor !== undefined) conversion.anchors.set(anchor, undefined);
  const converted = convertContent(node, conversion, depth);
  if (anchor !== undefined) conversion.anchors.set(anchor, { node: converted, size: conversion.nodes - before });
  return converted;
}

function follow(name: string, offset: number, conversion: Conversion): DocumentNode {
  if (!conversion.anchors.has(name))
    throw new Unreadable(offset, `has an alias ${printable(name)} of nothing before it`);
  const anchored = conversion.anchors.get(name);
  if (anchored === undefined) throw new Unreadable(offset, `has an alias ${printable(name)} within what it names`);
  count(anchored.size, offset, conversion);
  return anchored.node;
}

function count(nodes: number, offset: number, conversion: Conversion): void {
  conversion.nodes += nodes;
  if (conversion.nodes > maxNodes) throw new Unreadable(offset, `has more than ${maxNodes} values`);
}

function convertContent(node: Node, conversion: Conversion, depth: number): DocumentNode {
  const offset = offsetOf(node, conversion);
  if (isMap(node)) return { kind: "map", offset, entries: convertEntries(node, conversion, depth) };
  if (isSeq(node)) {
    const items = node.items.map((item) => {
      if (isPair(item)) throw new Unreadable(offset, "has a key where a list has its values");
      return convertItem(item, offset, { conversion, depth });
    });
    return { kind: "list", offset, items };
  }
  return isScalar(node) ? convertScalar(node, offset) : unreadable(offset);
}

function convertItem(item: unknown, offset: number, at: { conversion: Conversion; depth: number }): DocumentNode {
  if (item === null || item === undefined) return { kind: "null", offset };
  return isNode(item) ? convert(item, at.conversion, at.depth + 1) : unreadable(offset);
}

function isNode(value: unknown): value is Node {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value);
}

/**
 * A key that cannot be used is told and passed over, so that the rest still says which document it is; of a key that is
 * there twice neither value is taken.
 */
function convertEntries(map: YAMLMap, conversion: Conversion, depth: number): ReadonlyMap<string, MapEntry> {
  const entries = new Map<string, MapEntry>();
  const twice = new Set<string>();
  for (const pair of map.items) {
    const { key, keyOffset } = readKey(pair, map, conversion);
    const value = convertItem(pair.value, keyOffset, { conversion, depth });
    const fault = keyFault(key, entries);
    if (fault !== undefined) conversion.about.report({ offset: keyOffset, path: "", message: fault });
    if (fault !== undefined) twice.add(key ?? "");
    else entries.set(key ?? "", { keyOffset, value });
  }
  for (const key of twice) entries.delete(key);
  return entries;
}

function keyFault(key: string | undefined, entries: ReadonlyMap<string, MapEntry>): string | undefined {
  if (key === undefined) return "has a key that is no text";
  if (key === "<<") return "has a merge key, and those are not read: write the fields out";
  return entries.has(key) ? `has the key ${JSON.stringify(key.slice(0, 200))} twice` : undefined;
}

function readKey(
  { key }: Pair,
  map: YAMLMap,
  conversion: Conversion,
): { readonly key: string | undefined; readonly keyOffset: number } {
  const keyOffset = offsetOf(isNode(key) && key.range ? key : map, conversion);
  if (!isScalar(key)) return { key: undefined, keyOffset };
  // As written, so that 1 and true are "1" and "true" as in JSON.
  return { key: typeof key.value === "string" ? key.value : (key.source ?? String(key.value)), keyOffset };
}

function offsetOf(node: Node, { start }: Conversion): number {
  return start + (node.range?.[0] ?? 0);
}

function convertScalar({ value }: Scalar, offset: number): DocumentNode {
  switch (typeof value) {
    case "string":
      return { kind: "text", offset, value };
    case "number":
      return { kind: "number", offset, value };
    case "boolean":
      return { kind: "bool", offset, value };
    default:
      return value === null || value === undefined ? { kind: "null", offset } : unreadable(offset);
  }
}

function unreadable(offset: number): never {
  throw new Unreadable(offset, "has a value of a kind that is not read");
}
