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
 * Returns a path, with its query, in the form in which policies are to see it and the server is to be given it, or undefined for
 * one that is to be answered with 400: for whoever decides without an Envoy before them.
 *
 * BASE resolves dot segments, decodes percent-encoded letters, digits and `-._~`, and turns backslashes into slashes;
 * MERGE_SLASHES makes one slash of several as well; DECODE_AND_MERGE_SLASHES first decodes `%2F` and `%5C`. What may not stand in a
 * path (`"<>\`{|}^`) is percent-encoded, and a percent sign that decoding would make part of an escape too (`%%32%65`), so that
 * nobody can decode it a second time. The query stays as it is. Refused are paths without a slash at their start, but for `*`; with
 * `#`, or anything but printable ASCII; and, but for NONE, with `%00`.
 *
 * As Envoy 1.40 does with a path in origin form; of an absolute URI take the path first. Safer than Envoy: parameters of dot segments
 * go with them in every disguise (`/%2e%2e;x/`), since some servers read those as `..`; `%00` is refused in such parameters as well;
 * and of a path of nothing but slashes one is left where they are merged.
 * @example
 * ```ts
 * import { normalizePath } from "@signet/policy";
 * normalizePath("/public/..;x=1/admin%2e?a=b"); // "/admin.?a=b"
 * normalizePath("//a%2fb", { normalization: "DECODE_AND_MERGE_SLASHES" }); // "/a/b"
 * ```
 */
export function normalizePath(path: string, options: NormalizePathOptions = {}): string | undefined {
  const { normalization = "DEFAULT", dotSegmentParameters = "strip" } = options;
  if (path === "*") return path;
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(path)) return undefined;
  if (normalization === "NONE") return path;
  const query = path.indexOf("?");
  const written = query < 0 ? path : path.slice(0, query);
  const isStripping = dotSegmentParameters === "strip";
  const decodesSlashes = normalization === "DECODE_AND_MERGE_SLASHES";
  const slashes = decodesSlashes ? decode(written, (code) => code === slash || code === backslash) : written;
  if (slashes.includes("%00")) return undefined;
  const decoded = encode(decode(isStripping ? withoutDotParameters(slashes) : slashes, isUnreserved));
  const plain = removeDotSegments(decoded.replaceAll("\\", "/"), isStripping);
  const merged = decodesSlashes || normalization === "MERGE_SLASHES" ? mergeSlashes(plain) : plain;
  return query < 0 ? merged : merged + path.slice(query);
}

const slash = 0x2f;
const backslash = 0x5c;

/** Text with those of its percent-encoded octets decoded that `wanted` names, and no escape in it that was none before. */
function decode(text: string, wanted: (code: number) => boolean): string {
  const [first = "", ...parts] = text.split("%");
  let decoded = "";
  for (const part of parts.toReversed()) {
    const code = hexOctet(part);
    if (code !== undefined) {
      decoded = (wanted(code) ? String.fromCharCode(code) : `%${part.slice(0, 2)}`) + part.slice(2) + decoded;
    } else {
      const after = part + decoded;
      decoded = `${hexOctet(after) === undefined ? "%" : "%25"}${after}`;
    }
  }
  return first + decoded;
}

/** With what may not stand in a path percent-encoded, as browsers do it. */
function encode(path: string): string {
  return path.replace(/["<>`{|}^]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hexOctet(text: string): number | undefined {
  const digits = text.slice(0, 2);
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** RFC 3986 section 2.3. */
function isUnreserved(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isDigit || isLetter || code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}

/** With parameters taken off dot segments as they are written; those in a disguise go with their segments later. */
function withoutDotParameters(path: string): string {
  const segments = path.split("/").map((segment) => {
    const [name = ""] = segment.split(";", 1);
    return name === "." || name === ".." ? name : segment;
  });
  return segments.join("/");
}

/** RFC 3986 section 5.2.4, with empty segments kept: they are segments that `..` goes back over. */
function removeDotSegments(path: string, isStripping: boolean): string {
  const segments = path.slice(1).split("/");
  const kept: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const name = isStripping ? (segment.split(";", 1)[0] ?? "") : segment;
    if (name !== "." && name !== "..") {
      kept.push(segment);
      continue;
    }
    if (name === "..") kept.pop();
    if (at === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}

function mergeSlashes(path: string): string {
  let merged = "";
  for (const character of path) if (character !== "/" || !merged.endsWith("/")) merged += character;
  return merged;
}
