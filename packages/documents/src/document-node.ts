/** A value of a document with its place in the text, free of everything YAML can do besides. */
export type DocumentNode = { readonly offset: number } & (
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, MapEntry> }
  | { readonly kind: "list"; readonly items: readonly DocumentNode[] }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "null" }
);

/** A value of a map, and where its key is. */
export type MapEntry = { readonly keyOffset: number; readonly value: DocumentNode };

/** A DocumentNode of one kind. */
export type NodeOf<K extends DocumentNode["kind"]> = Extract<DocumentNode, { readonly kind: K }>;

const kindNames = {
  map: "a map",
  list: "a list",
  text: "text",
  number: "a number",
  bool: "true or false",
  null: "nothing",
} as const;

/** The kind of a node in words. */
export function describeKind(kind: DocumentNode["kind"]): string {
  return kindNames[kind];
}

/** Returns a node as `JSON.parse` would have it; a map has no prototype, so that every name is one. */
export function toJson(node: DocumentNode): unknown {
  switch (node.kind) {
    case "map": {
      const object: Record<string, unknown> = Object.create(null);
      for (const [name, { value }] of node.entries) object[name] = toJson(value);
      return object;
    }
    case "list":
      return node.items.map(toJson);
    case "null":
      return null;
    default:
      return node.value;
  }
}
