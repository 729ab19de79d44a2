import { parseAst } from "vitest/node";
import { lineAt, type SyntaxNode, visitNodes } from "./read-imports.ts";
import type { SourceFile } from "./workspace.ts";

/** One ```ts block; `line` is the line of its first line in the file, from 1. */
export type DocExample = { readonly path: string; readonly line: number; readonly code: string };

/** The examples of a Markdown file: its fenced blocks marked `ts`. */
export function markdownExamples(file: SourceFile): readonly DocExample[] {
  return fencedBlocks(file.path, file.text, 1);
}

/** The examples of a source file: the blocks marked `ts` in its docstrings. */
export function docstringExamples(file: SourceFile): readonly DocExample[] {
  return docstringsOf(file.text).flatMap(({ text, line }) => fencedBlocks(file.path, text, line));
}

/** A function or class that a package exports, and the docstring that stands above it, if any. */
export type ExportedValue = { readonly name: string; readonly path: string; readonly docstring: string | undefined };

/**
 * The functions and classes that the package root `index` exports by name from its own files.
 *
 * `read` gives the text of a file beside the index. Constants count when they hold a function.
 */
export function exportedValues(
  index: SourceFile,
  read: (path: string) => string | undefined,
): readonly ExportedValue[] {
  return namedReExports(index.text).flatMap(({ name, from }) => {
    const path = new URL(from, `file:///${index.path}`).pathname.slice(1);
    const text = from.startsWith(".") ? read(path) : undefined;
    const declaration = text === undefined ? undefined : declaredValue(text, name);
    return declaration === undefined ? [] : [{ name, path, docstring: declaration.docstring }];
  });
}

const fence = /^( *)```ts\n([\s\S]*?)^ *```$/gm;

function fencedBlocks(path: string, text: string, firstLine: number): readonly DocExample[] {
  return [...text.matchAll(fence)].map((match) => {
    const [, indent = "", body = ""] = match;
    const code = body.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    return { path, line: firstLine + lineAt(text, match.index), code };
  });
}

// The text of each docstring with its stars removed and its line breaks kept, so that line numbers still fit.
function docstringsOf(text: string): readonly { text: string; line: number }[] {
  return [...text.matchAll(/^ *\/\*\*[\s\S]*?\*\//gm)].map((match) => ({
    text: match[0].replaceAll(/^ *(\/\*\*|\*\/|\* ?)/gm, ""),
    line: lineAt(text, match.index),
  }));
}

function namedReExports(text: string): readonly { name: string; from: string }[] {
  const found: { name: string; from: string }[] = [];
  visitNodes(parseAst(text, { lang: "ts" }), (node) => {
    const source = node.source as SyntaxNode | null | undefined;
    if (node.type !== "ExportNamedDeclaration" || source == null || node.exportKind === "type") {
      return;
    }
    for (const specifier of node.specifiers as readonly SyntaxNode[]) {
      if (specifier.exportKind !== "type") {
        found.push({ name: String((specifier.local as SyntaxNode).name), from: String(source.value) });
      }
    }
  });
  return found;
}

const functionTypes = new Set(["ArrowFunctionExpression", "FunctionExpression", "ClassExpression"]);

function declaredValue(text: string, name: string): { docstring: string | undefined } | undefined {
  let found: { docstring: string | undefined } | undefined;
  visitNodes(parseAst(text, { lang: "ts" }), (node) => {
    if (node.type === "ExportNamedDeclaration" && declaresCallable(node.declaration as SyntaxNode | null, name)) {
      // Of overloads, the first carries the docstring.
      found ??= { docstring: docstringAbove(text, node.start) };
    }
  });
  return found;
}

function declaresCallable(declaration: SyntaxNode | null, name: string): boolean {
  const nameOf = (node: SyntaxNode): unknown => (node.id as SyntaxNode | null)?.name;
  switch (declaration?.type) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
    case "ClassDeclaration":
      return nameOf(declaration) === name;
    case "VariableDeclaration":
      return (declaration.declarations as readonly SyntaxNode[]).some(
        (variable) => nameOf(variable) === name && functionTypes.has((variable.init as SyntaxNode | null)?.type ?? ""),
      );
    default:
      return false;
  }
}

function docstringAbove(text: string, start: number): string | undefined {
  const before = text.slice(0, start).trimEnd();
  return before.endsWith("*/") ? before.slice(before.lastIndexOf("/**")) : undefined;
}
