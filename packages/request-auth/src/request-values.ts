/** Names that somebody wants to know the value of. */
type Wanted = { readonly size: number; has(name: string): boolean };

const nothing: ReadonlyMap<string, string> = new Map();

/** The first value of each wanted parameter in the query of `path`, percent-decoded; what cannot be decoded stands for itself. */
export function findParams(path: string, wanted: Wanted): ReadonlyMap<string, string> {
  const query = path.indexOf("?");
  if (query === -1) return nothing;
  const found = new Map<string, string>();
  let start = query + 1;
  while (start < path.length) {
    const ampersand = path.indexOf("&", start);
    const end = ampersand === -1 ? path.length : ampersand;
    // Within the pair: to the end of the query, again and again, would cost its square.
    const pair = path.slice(start, end);
    const equals = pair.indexOf("=");
    const name = decodeQuery(equals === -1 ? pair : pair.slice(0, equals));
    if (wanted.has(name) && !found.has(name)) found.set(name, equals === -1 ? "" : decodeQuery(pair.slice(equals + 1)));
    start = end + 1;
  }
  return found;
}

function splitAtEquals(pair: string): readonly [name: string, value: string | undefined] {
  const equals = pair.indexOf("=");
  return equals === -1 ? [pair, undefined] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

/** `path` without the parameter of that name, wherever it stands; everything else stays as it is. */
export function removeParam(path: string, unwanted: string): string {
  const query = path.indexOf("?");
  if (query === -1) return path;
  const pairs = path.slice(query + 1).split("&");
  const kept = pairs.filter((pair) => decodeQuery(splitAtEquals(pair)[0]) !== unwanted);
  return kept.length === 0 ? path.slice(0, query) : `${path.slice(0, query)}?${kept.join("&")}`;
}

/** Text of a query with percent-encoded octets, one character per octet; "+" is itself, as in Envoy. */
function decodeQuery(text: string): string {
  if (!text.includes("%")) return text;
  const parts = text.split("%");
  return parts.slice(1).reduce((decoded, part) => decoded + decodeAfterPercent(part), parts[0] ?? "");
}

function decodeAfterPercent(part: string): string {
  const high = hexDigit(part.charCodeAt(0));
  const low = hexDigit(part.charCodeAt(1));
  if (high === undefined || low === undefined) return `%${part}`;
  return String.fromCharCode(high * 16 + low) + part.slice(2);
}

function hexDigit(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}

/** The first value of each wanted cookie (RFC 6265 section 5.4) in all headers of that name, without the quotes that may be around it. */
export function findCookies(headers: readonly string[], wanted: Wanted): ReadonlyMap<string, string> {
  if (headers.length === 0) return nothing;
  const found = new Map<string, string>();
  for (const header of headers) findCookiesIn(header, wanted, found);
  return found;
}

function findCookiesIn(header: string, wanted: Wanted, found: Map<string, string>): void {
  let start = 0;
  while (start < header.length) {
    const semicolon = header.indexOf(";", start);
    const end = semicolon === -1 ? header.length : semicolon;
    while (header[start] === " ") start++;
    const [name, value] = splitAtEquals(header.slice(start, end));
    if (value !== undefined && wanted.has(name) && !found.has(name)) found.set(name, unquote(value));
    start = end + 1;
  }
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
