import { dotLength, isDotText } from "./octets.ts";

/** What may stand between two literals: RE2's `.*`, `.+` or `[^/]*`. */
export type Gap = ".*" | ".+" | "[^/]*";

/**
 * The only shape of regular expression that policies give rise to: literals with gaps between them, matched in full. There
 * is one literal more than there are gaps.
 */
export type Glob = { readonly literals: readonly string[]; readonly gaps: readonly Gap[] };

/**
 * Says whether the whole text matches, as Envoy's RE2 would, where `.` covers every octet but a line feed.
 * Linear in the text for each literal.
 *
 * Gaps that cover anything are looked at first, since taking the leftmost place for each literal is then exact; where that
 * finds no match there is none. Text with line feeds, which `.` does not cover, is then looked at again;
 * `isDot` says whether a text is free of them, for who knows already.
 */
export function matchGlob(glob: Glob, text: string, isDot: boolean = isDotText(text)): boolean {
  return matchLoosely(glob, text) && (isDot || matchExactly(glob, text));
}

/** As if `.` covered every octet. */
function matchLoosely({ literals, gaps }: Glob, text: string): boolean {
  const first = literals[0] ?? "";
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let index = 0; index < gaps.length; index++) {
    const gap = gaps[index];
    const literal = literals[index + 1] ?? "";
    const from = gap === ".+" ? at + 1 : at;
    const isLast = index === gaps.length - 1;
    const found = isLast && gap !== "[^/]*" ? text.length - literal.length : text.indexOf(literal, from);
    if (found < from || (isLast && !text.endsWith(literal))) return false;
    if (gap === "[^/]*" && holdsSlash(text, at, found)) return false;
    at = found + literal.length;
  }
  return at === text.length;
}

function holdsSlash(text: string, from: number, to: number): boolean {
  const slash = text.indexOf("/", from);
  return slash >= 0 && slash < to;
}

/** Follows all places at which a literal may end at once. */
function matchExactly({ literals, gaps }: Glob, text: string): boolean {
  const first = literals[0] ?? "";
  let ends = new Uint8Array(text.length + 1);
  if (text.startsWith(first)) ends[first.length] = 1;
  for (const [index, gap] of gaps.entries()) {
    const covered = coverGap(gap, text, ends);
    const literal = literals[index + 1] ?? "";
    ends = new Uint8Array(text.length + 1);
    for (let at = 0; at + literal.length <= text.length; at++) {
      if (covered[at] === 1 && text.startsWith(literal, at)) ends[at + literal.length] = 1;
    }
  }
  return ends[text.length] === 1;
}

/** Where a gap may end that begins at one of `starts`. */
function coverGap(gap: Gap, text: string, starts: Uint8Array): Uint8Array {
  const covered = gap === ".+" ? new Uint8Array(starts.length) : Uint8Array.from(starts);
  for (let at = 0; at < text.length; at++) {
    if (covered[at] !== 1 && starts[at] !== 1) continue;
    const length = gap === "[^/]*" ? notSlashLength(text, at) : dotLength(text, at);
    if (length > 0) covered[at + length] = 1;
  }
  return covered;
}

/** RE2's `[^/]` covers a line feed, which `.` does not. */
function notSlashLength(text: string, at: number): 0 | 1 {
  return text.charCodeAt(at) === 0x2f ? 0 : 1;
}
