/** A value of proto JSON. */
export type Json = string | number | boolean | readonly Json[] | JsonMap;

/** A message in proto JSON: lowerCamelCase names, nothing that has its default. */
export type JsonMap = { readonly [name: string]: Json };

/** A filter of Envoy, HTTP or network, as plain proto JSON that stands in a filter chain as it is. */
export type EnvoyFilter = {
  readonly name: string;
  readonly typedConfig: JsonMap & { readonly "@type": string };
};

/** Filters in the order in which they stand in a chain, and what a person should know about them. */
export type EnvoyFilters = {
  readonly filters: readonly EnvoyFilter[];
  /** Sentences without a key or token in them: lower case, no period. */
  readonly warnings: readonly string[];
};

/** Leaves out what is undefined, an empty list, an empty text, false or zero: a default of proto3 is not written. */
export function withoutDefaults(message: Readonly<Record<string, Json | undefined>>): JsonMap {
  const kept: Record<string, Json> = {};
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined || value === "" || value === false || value === 0) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    kept[name] = value;
  }
  return kept;
}
