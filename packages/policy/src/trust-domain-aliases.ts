/** The mesh's trust domain first, and then its aliases. */
export type TrustDomainBundle = readonly string[];

/** Istio's name for the local trust domain, whatever that is called. */
const localTrustDomain = "cluster.local";

/**
 * Returns what a value of `principals` stands for: itself, or itself in every trust domain of the bundle where its own is
 * one of them or `cluster.local`. Only values of five parts are expanded, and none whose trust domain is a lone star.
 */
export function expandPrincipal(principal: string, bundle: TrustDomainBundle): readonly string[] {
  const parts = principal.split("/");
  const [trustDomain = ""] = parts;
  if (parts.length !== 5 || trustDomain === "*") return [principal];
  if (trustDomain !== localTrustDomain && !bundle.some((known) => overlaps(trustDomain, known))) return [principal];
  const path = principal.slice(trustDomain.length);
  // `*x` covers some of the bundle as it stands; the others are put in its place.
  return [...new Set(bundle.map((known) => (endsLike(known, trustDomain) ? principal : `${known}${path}`)))];
}

/** Returns what a value of `trustDomains` stands for: one of the bundle stands for all of it. */
export function expandTrustDomain(trustDomain: string, bundle: TrustDomainBundle): readonly string[] {
  return bundle.includes(trustDomain) ? [...new Set(bundle)] : [trustDomain];
}

/** Equal, or one of them covers the other by a star at its start or end. */
function overlaps(one: string, other: string): boolean {
  return (
    one === other ||
    other === "*" ||
    startsLike(one, other) ||
    startsLike(other, one) ||
    endsLike(one, other) ||
    endsLike(other, one)
  );
}

function startsLike(text: string, pattern: string): boolean {
  return pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1));
}

function endsLike(text: string, pattern: string): boolean {
  return pattern.startsWith("*") && text.endsWith(pattern.slice(1));
}
