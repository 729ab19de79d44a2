/** Always one more name of the mesh's own trust domain. */
const localTrustDomain = "cluster.local";

/**
 * Returns principals with each that is of one of the mesh's trust domains, or of `cluster.local`, once for every trust domain.
 *
 * Only principals of five parts, such as `<trust domain>/ns/<namespace>/sa/<name>`, are of a trust domain. A star at either end
 * of the first part counts; one that covers a trust domain stays as it is for that one.
 */
export function expandPrincipals(principals: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const first = trustDomainOf(principal);
    if (first === undefined || !isKnown(first, trustDomains)) return [principal];
    const rest = principal.split("/").slice(1);
    const expanded = trustDomains.map((known) => (endsAs(known, first) ? principal : [known, ...rest].join("/")));
    return [...new Set(expanded)];
  });
}

/** Returns trust domains with each that the mesh knows replaced by all that it knows. */
export function expandTrustDomains(values: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return [...new Set(values.flatMap((value) => (trustDomains.includes(value) ? trustDomains : [value])))];
}

/** Returns those principals that are of a trust domain which the mesh does not know, and so may be mistyped. */
export function strangePrincipals(principals: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return principals.filter((principal) => {
    const trustDomain = trustDomainOf(principal);
    return trustDomain !== undefined && !isKnown(trustDomain, trustDomains);
  });
}

/** The trust domain of a principal that is of one. */
function trustDomainOf(principal: string): string | undefined {
  const [first = "", ...rest] = principal.split("/");
  return rest.length === 4 && first !== "*" ? first : undefined;
}

function isKnown(trustDomain: string, trustDomains: readonly string[]): boolean {
  return trustDomain === localTrustDomain || trustDomains.some((known) => overlap(trustDomain, known));
}

/** Whether the two are the same, or one of them covers the other by a star at its start or end. */
function overlap(one: string, other: string): boolean {
  return one === other || [endsAs, startsAs].some((covers) => covers(one, other) || covers(other, one));
}

function startsAs(text: string, pattern: string): boolean {
  return pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1));
}

function endsAs(text: string, pattern: string): boolean {
  return pattern.startsWith("*") && text.endsWith(pattern.slice(1));
}
