import type { JwtRule } from "@signet/documents";
import type { CompiledJwtRule } from "./compile-jwt-rules.ts";

/** A place in a request where some rules look for a token. */
export type TokenLocation = {
  readonly kind: "header" | "param" | "cookie";
  /** A header's in lower case; a parameter's as its octets. */
  readonly name: string;
  /** What stands before the token in a header; empty for a header that is the token. */
  readonly prefix: string;
  /** In this order tokens are found: headers by name and prefix, then parameters, then cookies. */
  readonly order: number;
  /** All rules that look here, by rank. */
  readonly rules: readonly CompiledJwtRule[];
  /** Those with an issuer, by it. */
  readonly byIssuer: ReadonlyMap<string, readonly CompiledJwtRule[]>;
  /** Those for any issuer. */
  readonly ofAnyIssuer: readonly CompiledJwtRule[];
};

/** All places, so that a request asks only about what it has. */
export type TokenLocations = {
  readonly headers: ReadonlyMap<string, readonly TokenLocation[]>;
  readonly params: ReadonlyMap<string, TokenLocation>;
  readonly cookies: ReadonlyMap<string, TokenLocation>;
};

type Place = Pick<TokenLocation, "kind" | "name" | "prefix">;

const kinds = ["header", "param", "cookie"] as const;

/** Returns the places that `rules`, in the order of their rank, look at. */
export function indexLocations(rules: readonly CompiledJwtRule[]): TokenLocations {
  const rulesAt = new Map<string, { readonly place: Place; readonly rules: CompiledJwtRule[] }>();
  // Removed before anything is read, so that no one can send them: Envoy finds no token there either.
  const written = new Set(rules.flatMap(({ rule }) => outputHeadersOf(rule)));
  for (const compiled of rules) {
    for (const place of placesOf(compiled.rule)) {
      if (place.kind !== "param" && written.has(place.kind === "cookie" ? "cookie" : place.name)) continue;
      const key = `${place.kind}\0${place.name}\0${place.prefix}`;
      const entry = rulesAt.get(key) ?? { place, rules: [] };
      rulesAt.set(key, entry);
      if (entry.rules.at(-1) !== compiled) entry.rules.push(compiled);
    }
  }
  const sorted = [...rulesAt.values()].sort((a, b) => compareOctets(sortKey(a.place), sortKey(b.place)));
  const locations = sorted.map(({ place, rules: found }, order) => createLocation(place, order, found));
  return {
    headers: Map.groupBy(
      locations.filter(({ kind }) => kind === "header"),
      ({ name }) => name,
    ),
    params: byName(locations.filter(({ kind }) => kind === "param")),
    cookies: byName(locations.filter(({ kind }) => kind === "cookie")),
  };
}

function sortKey({ kind, name, prefix }: Place): string {
  return `${kinds.indexOf(kind)}${name}${prefix}`;
}

/** Negative when `a` stands before `b` by their octets in UTF-8. */
export function compareOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

/** The names, in lower case, of the headers that a rule writes. */
export function outputHeadersOf(rule: JwtRule): readonly string[] {
  const headers = rule.outputClaimToHeaders.map(({ header }) => header.toLowerCase());
  return rule.outputPayloadToHeader ? [rule.outputPayloadToHeader.toLowerCase(), ...headers] : headers;
}

function placesOf(rule: JwtRule): readonly Place[] {
  const places: readonly Place[] = [
    ...rule.fromHeaders.map(({ name, prefix }): Place => ({ kind: "header", name: name.toLowerCase(), prefix })),
    ...rule.fromParams.map((name): Place => ({ kind: "param", name: octetsOf(name), prefix: "" })),
    ...rule.fromCookies.map((name): Place => ({ kind: "cookie", name: octetsOf(name), prefix: "" })),
  ];
  if (places.length > 0) return places;
  return [
    { kind: "header", name: "authorization", prefix: "Bearer " },
    { kind: "param", name: "access_token", prefix: "" },
  ];
}

/** Text as one character per octet of its UTF-8, which is how requests are read. */
function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function createLocation(place: Place, order: number, rules: readonly CompiledJwtRule[]): TokenLocation {
  const named = rules.filter(({ rule }) => rule.issuer !== "");
  return Object.freeze({
    ...place,
    order,
    rules: Object.freeze(rules),
    byIssuer: Map.groupBy(named, ({ rule }) => rule.issuer),
    ofAnyIssuer: rules.filter(({ rule }) => rule.issuer === ""),
  });
}

function byName(locations: readonly TokenLocation[]): ReadonlyMap<string, TokenLocation> {
  return new Map(locations.map((location) => [location.name, location]));
}
