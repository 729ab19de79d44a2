import { joinedHeaderValues } from "@signet/documents";
import { isBase64UrlLetter } from "./base64url.ts";
import type { RequestAuthOptions } from "./options.ts";
import { hasTokenForm } from "./parse-token.ts";
import type { RequestAuthProfile } from "./profile.ts";
import { findCookies, findParams } from "./request-values.ts";
import type { TokenLocation, TokenLocations } from "./token-location.ts";

/** A request as far as it matters here. Text is one character per octet, as Node's HTTP servers have it. */
export type RequestToAuthenticate = {
  readonly method: string;
  /** "http" or "https". */
  readonly scheme: string;
  /** The authority as the client sent it, with port. */
  readonly host: string;
  /** With the query. */
  readonly path: string;
  /** In the order of arrival; names in any case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** A token and where it was. */
export type FoundToken = { readonly token: string; readonly location: TokenLocation };

/** Header names in lower case with their values in the order of arrival. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

/** Returns those headers of a request that `wanted` names in lower case, by name. */
export function indexHeaders(headers: RequestToAuthenticate["headers"], wanted: ReadonlySet<string>): HeaderValues {
  const values = new Map<string, string[]>();
  // Taken apart by hand: this is done for every header of every request.
  for (const header of headers) {
    const name = header[0].toLowerCase();
    if (!wanted.has(name)) continue;
    const value = header[1];
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  for (const [name, known] of values) {
    if (known.length > 1) values.set(name, [...joinedHeaderValues(name, known)]);
  }
  return values;
}

/** Where tokens may be, and how they are read there. */
type TokenPlaces = {
  readonly locations: TokenLocations;
  readonly profile: RequestAuthProfile;
  readonly options: RequestAuthOptions;
};

/** The tokens of a request in the order of their places; costs grow with the request and not with the number of rules. */
export function extractTokens(
  { locations, profile, options }: TokenPlaces,
  { path, headers }: { readonly path: string; readonly headers: HeaderValues },
): readonly FoundToken[] {
  const found: FoundToken[] = [];
  for (const [name, values] of headers) {
    for (const location of locations.headers.get(name) ?? []) {
      for (const value of values) {
        const token = tokenInHeader(value, location.prefix, profile);
        if (token !== undefined) found.push({ token, location });
      }
    }
  }
  if (locations.params.size > 0) collect(findParams(path, locations.params), locations.params, found);
  if (locations.cookies.size > 0) {
    collect(findCookies(headers.get("cookie") ?? [], locations.cookies), locations.cookies, found);
  }
  const tokens = options.passOpaqueTokens === true ? found.filter(({ token }) => hasTokenForm(token)) : found;
  return tokens.length < 2 ? tokens : tokens.sort((a, b) => a.location.order - b.location.order);
}

type Values = ReadonlyMap<string, string>;

function collect(values: Values, locations: ReadonlyMap<string, TokenLocation>, found: FoundToken[]): void {
  for (const [name, token] of values) {
    const location = locations.get(name);
    if (location !== undefined) found.push({ token, location });
  }
}

/**
 * The token in a header's value, or undefined when the prefix is not there.
 *
 * Profile "istio": the prefix may stand anywhere, and all that follows it is the token, from its first letter that a token may
 * have; a value without such a letter is the token as a whole. Profile "strict": the prefix comes first, and all that follows
 * is the token.
 */
function tokenInHeader(value: string, prefix: string, profile: RequestAuthProfile): string | undefined {
  if (prefix === "") return value;
  if (profile === "strict") return value.startsWith(prefix) ? value.slice(prefix.length) : undefined;
  const at = value.indexOf(prefix);
  if (at === -1) return undefined;
  let start = at + prefix.length;
  while (start < value.length && !isTokenLetter(value.charCodeAt(start))) start++;
  return start === value.length ? value : value.slice(start);
}

const dot = 0x2e;

function isTokenLetter(code: number): boolean {
  return code === dot || isBase64UrlLetter(code);
}
