/**
 * A path with operators for segments, as Envoy's `uri_template` matcher has it. Segments before `{**}` are literals or
 * `undefined` for `{*}`; those after it can only be literals.
 */
export type PathTemplate = {
  readonly before: readonly (string | undefined)[];
  /** What follows `{**}`, with its slash, or undefined where there is no `{**}`. */
  readonly after?: string;
};

/** Says whether a value of `paths` is a template and not a plain path. */
export function isPathTemplate(value: string): boolean {
  return value.includes("{*}") || value.includes("{**}");
}

/**
 * Returns the template, or undefined where Envoy would refuse it: no leading slash, empty segments but the last, braces or
 * stars beside the operators, an operator after `{**}`.
 */
export function parsePathTemplate(value: string): PathTemplate | undefined {
  if (!value.startsWith("/")) return undefined;
  const before: (string | undefined)[] = [];
  const after: string[] = [];
  let seenRest = false;
  const segments = value.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    if (segment === "{**}" || segment === "{*}") {
      if (seenRest) return undefined;
      if (segment === "{**}") seenRest = true;
      else before.push(undefined);
      continue;
    }
    // A slash at the end is all right, as long as something stands before it.
    if (segment === "" ? index === 0 || index < segments.length - 1 : !isLiteral(segment)) return undefined;
    if (seenRest) after.push(segment);
    else before.push(segment);
  }
  if (!seenRest) return { before };
  return { before, after: after.map((segment) => `/${segment}`).join("") };
}

/** Says whether a path without its query matches, in one pass over it. */
export function matchPathTemplate({ before, after }: PathTemplate, path: string): boolean {
  let at = 0;
  for (const segment of before) {
    if (path.charCodeAt(at) !== slash) return false;
    at++;
    if (segment !== undefined) {
      if (!path.startsWith(segment, at)) return false;
      at += segment.length;
      continue;
    }
    const start = at;
    while (at < path.length && isPathCharacter(path.charCodeAt(at))) at++;
    if (at === start) return false;
  }
  if (after === undefined) return at === path.length;
  if (path.charCodeAt(at) !== slash) return false;
  at++;
  const end = path.length - after.length;
  return end >= at && path.endsWith(after) && isCovered(path, at, end, true);
}

const slash = 0x2f;

/** A star in a literal would be an operator of Envoy's. */
function isLiteral(segment: string): boolean {
  return !segment.includes("*") && isCovered(segment, 0, segment.length, false);
}

function isCovered(text: string, from: number, to: number, slashes: boolean): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (!isPathCharacter(code) && !(slashes && code === slash)) return false;
  }
  return true;
}

/** `pchar` of RFC 3986 section 3.3, a percent sign wherever it stands. */
function isPathCharacter(code: number): boolean {
  return code < 0x80 && pathCharacters[code] === 1;
}

const pathCharacters: Uint8Array = Uint8Array.from({ length: 0x80 }, (_, code) =>
  /[A-Za-z0-9\-._~%!$&'()*+,;:@=]/.test(String.fromCharCode(code)) ? 1 : 0,
);
