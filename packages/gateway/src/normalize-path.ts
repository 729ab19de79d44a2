/**
 * How paths are made alike before policies look at them, as `pathNormalization` of Istio's mesh config has it: "BASE" as RFC 3986
 * section 6.2.2, with backslashes as slashes; "MERGE_SLASHES" with runs of slashes as one, besides;
 * "DECODE_AND_MERGE_SLASHES" with encoded slashes as slashes, besides.
 */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/**
 * Returns a path with its query in normal form, or undefined for one that no server may take: with a fragment, with an encoded NUL,
 * or not a path at all, unless it is `*`.
 *
 * As Envoy 1.40 does, besides: what may not stand in a path (`"<>\`{|}^`) is percent-encoded, and a percent sign that decoding
 * would make part of an escape too (`%%32%65`), so that nobody can decode it a second time. Safer than Envoy: parameters of
 * dot segments go with them (`/..;x/`) in every disguise, since some servers read those as `..`; and only slashes are one
 * slash where runs are merged. Other parameters, case and the query stay.
 * @example
 * ```ts
 * import { normalizePath } from "@signet/gateway";
 * normalizePath("/x/%2e%2e//admin?a=..", "MERGE_SLASHES"); // "/admin?a=.."
 * ```
 */
export function normalizePath(path: string, level: PathNormalization): string | undefined {
  const query = path.indexOf("?");
  const written = query < 0 ? path : path.slice(0, query);
  if (path === "*") return path;
  if (!written.startsWith("/") || path.includes("#")) return undefined;
  if (level === "NONE") return path;
  const rest = query < 0 ? "" : path.slice(query);
  const slashes =
    level === "DECODE_AND_MERGE_SLASHES" ? decode(written, (code) => code === slash || code === backslash) : written;
  if (slashes.includes("%00")) return undefined;
  const decoded = encode(decode(withoutDotParameters(slashes), isUnreserved));
  const plain = removeDotSegments(decoded.replaceAll("\\", "/"));
  return `${level === "BASE" ? plain : mergeSlashes(plain)}${rest}`;
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

/** RFC 3986 section 5.2.4. */
function removeDotSegments(path: string): string {
  const segments = path.slice(1).split("/");
  const kept: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const [name = ""] = segment.split(";", 1);
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
