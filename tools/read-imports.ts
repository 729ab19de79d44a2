import { parseAst } from "vitest/node";

/** One import, export-from or `import()` of a source file. */
export type ImportedModule = { readonly specifier: string; readonly line: number };

/**
 * Every module that `source` names: static and dynamic imports, re-exports and `import("x").Type`, type-only ones too.
 *
 * A dynamic import whose argument is not a literal is listed as "*".
 */
export function readImports(source: { readonly path: string; readonly text: string }): readonly ImportedModule[] {
  const found: ImportedModule[] = [];
  const program: unknown = parseAst(source.text, { lang: source.path.endsWith(".js") ? "js" : "ts" });
  visitNodes(program, (node) => {
    const named = importedSource(node);
    if (named !== undefined) {
      found.push({ specifier: named.specifier, line: lineAt(source.text, named.start) });
    }
  });
  return found;
}

/** A syntax tree node: a type and whatever fields that type has. */
export type SyntaxNode = { readonly type: string; readonly start: number; readonly [field: string]: unknown };

/** Calls `visit` with every node of a syntax tree, parents first. */
export function visitNodes(tree: unknown, visit: (node: SyntaxNode) => void): void {
  if (Array.isArray(tree)) {
    for (const child of tree) {
      visitNodes(child, visit);
    }
  } else if (isNode(tree)) {
    visit(tree);
    for (const child of Object.values(tree)) {
      visitNodes(child, visit);
    }
  }
}

/** The number, from 1, of the line that holds `offset`. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const importingNodes = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

function importedSource(node: SyntaxNode): { specifier: string; start: number } | undefined {
  if (!importingNodes.has(node.type) || !isNode(node.source)) {
    return undefined;
  }
  const literal = node.source;
  const specifier = typeof literal.value === "string" ? literal.value : "*";
  return { specifier, start: node.start };
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
