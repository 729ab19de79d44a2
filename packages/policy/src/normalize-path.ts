import type { PathNormalization } from "@signet/documents";

/** How paths are made alike before policies look at them. */
export type NormalizePathOptions = {
  /** `pathNormalization.normalization` of the mesh config; DEFAULT, the default, is BASE. */
  readonly normalization?: PathNormalization;
  /**
   * Whether `;...` after a segment of dots is taken off first (default), so that `/a/..;/b` is `/b` as servers with path
   * parameters read it, or stays as it did in Envoy before 1.38.4 (CVE-2026-73511).
   */
  readonly dotSegmentParameters?: "strip" | "keep";
};

/**
 * Returns a path, with its query, as Envoy would hand it to policies, or undefined for one that Envoy answers with 400: for
 * whoever decides without an Envoy before them, and hands the same path on to the server.
 *
 * BASE resolves dot segments, decodes percent-encoded letters, digits and `-._~`, and turns backslashes into slashes;
 * MERGE_SLASHES makes one slash of several as well; DECODE_AND_MERGE_SLASHES first decodes `%2F` and `%5C`. The query stays as
 * it is. Refused are paths without a slash at their start, with `#`, with anything but printable ASCII, and, but for NONE,
 * with `%00`. The same as Envoy 1.40 for a path in origin form; of an absolute URI take the path first.
 * @example
 * ```ts
 * import { normalizePath } from "@signet/policy";
 * normalizePath("/public/..;x=1/admin%2e?a=b"); // "/admin.?a=b"
 * normalizePath("//a%2fb", { normalization: "DECODE_AND_MERGE_SLASHES" }); // "/a/b"
 * ```
 */
export function normalizePath(path: string, options: NormalizePathOptions = {}): string | undefined {
  const { normalization = "DEFAULT", dotSegmentParameters = "strip" } = options;
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(path)) return undefined;
  if (normalization === "NONE") return path;
  const mark = path.indexOf("?");
  const query = mark < 0 ? "" : path.slice(mark);
  let text = mark < 0 ? path : path.slice(0, mark);
  const decodes = normalization === "DECODE_AND_MERGE_SLASHES";
  if (decodes) text = text.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
  if (dotSegmentParameters === "strip") text = text.replace(/\/(\.\.?);[^/]*/g, "/$1");
  if (text.includes("%00")) return undefined;
  const encoded = text
    .replaceAll("\\", "/")
    .replace(/%[0-9a-f]{2}/gi, decodeUnreserved)
    .replace(/["<>^`{|}]/g, encode);
  const resolved = resolveDots(encoded);
  const merges = decodes || normalization === "MERGE_SLASHES";
  return `${merges ? mergeSlashes(resolved) : resolved}${query}`;
}

/** A path of nothing but slashes keeps two of them: Envoy puts one at the start and one at the end. */
function mergeSlashes(path: string): string {
  return /^\/{2,}$/.test(path) ? "//" : path.replace(/\/{2,}/g, "/");
}

/** RFC 3986 section 6.2.2.2; what stays encoded keeps the case of its digits. */
function decodeUnreserved(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : triplet;
}

function encode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** RFC 3986 section 5.2.4, with empty segments kept: they are segments that `..` goes back over. */
function resolveDots(path: string): string {
  const resolved: string[] = [];
  const segments = path.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") resolved.pop();
    if (!isDots) resolved.push(segment);
    else if (index === segments.length - 1) resolved.push("");
  }
  return `/${resolved.join("/")}`;
}
