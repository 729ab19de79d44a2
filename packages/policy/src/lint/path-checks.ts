import type { PathNormalization } from "@signet/documents";
import { quote, type Remark } from "./lint-finding.ts";

/** Says what is wrong with a path that no request has. */
export function checkPath(value: string, normalization: PathNormalization = "DEFAULT"): Remark | undefined {
  const text = value.replace(/^\*/, "").replace(/\*$/, "");
  const why = whyNever(value, text, normalization);
  if (why === undefined) return undefined;
  return { id: "path-never-matches", reason: `${quote(value)} ${why.reason}`, fix: why.fix };
}

type Why = { readonly reason: string; readonly fix: string };

function whyNever(value: string, text: string, normalization: PathNormalization): Why | undefined {
  if (!value.startsWith("/") && !value.startsWith("*")) {
    return { reason: "does not begin with a slash, as every path does", fix: `write ${quote(`/${value}`)}` };
  }
  if (/[?#]/.test(text)) {
    return { reason: "has a query or a fragment, and those are no part of a path", fix: "write the path alone" };
  }
  if (/[^\u0021-\u007e]/.test(text)) {
    return { reason: "has characters that are percent-encoded in a request", fix: "write them percent-encoded" };
  }
  if (normalization === "NONE") return undefined;
  if (/(^|\/)\.\.?(\/|$)/.test(text)) {
    return { reason: "has dot segments, which are resolved before policies look", fix: "write the path that is left" };
  }
  if (text.includes("\\")) {
    return { reason: "has a backslash, which is a slash before policies look", fix: "write a slash" };
  }
  if (/%(2[dDeE]|3\d|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])/.test(text)) {
    return { reason: "has characters encoded that are decoded before policies look", fix: "write them decoded" };
  }
  if (mergesSlashes(normalization) && text.includes("//")) {
    return { reason: "has two slashes in a row, which are one before policies look", fix: "write one slash" };
  }
  return undefined;
}

/** Says how paths that are denied are got around where the mesh does not merge slashes. */
export function checkPathSlashes(
  values: readonly string[],
  normalization: PathNormalization = "DEFAULT",
): readonly Remark[] {
  const [first] = values.filter((value) => value.startsWith("/") && !value.startsWith("/*") && value.length > 1);
  if (first === undefined || mergesSlashes(normalization)) return [];
  return [
    {
      id: "path-slashes",
      severity: "note",
      reason: `${quote(`/${first}`)} is another path than ${quote(first)}, and many servers answer both alike`,
      fix: "set pathNormalization.normalization of the mesh config to MERGE_SLASHES, or allow what is wanted instead",
    },
  ];
}

function mergesSlashes(normalization: PathNormalization): boolean {
  return normalization === "MERGE_SLASHES" || normalization === "DECODE_AND_MERGE_SLASHES";
}
