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
