import type { JsonMap } from "./envoy-filter.ts";

/** What a value of a policy becomes, or why Envoy has no words for it. */
export type Matched =
  | { readonly kind: "matcher"; readonly matcher: JsonMap }
  | { readonly kind: "unusable"; readonly why: string };

/** A value that has become a matcher. */
export function matcher(map: JsonMap): Matched {
  return { kind: "matcher", matcher: map };
}

/** A value that Envoy would refuse, and the whole listener with it. */
export function unusable(why: string): Matched {
  return { kind: "unusable", why };
}
