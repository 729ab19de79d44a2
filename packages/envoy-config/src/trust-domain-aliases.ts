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
    const [first = "", ...rest] = principal.split("/");
    if (rest.length !== 4 || first === "*") return [principal];
    if (first !== localTrustDomain && !trustDomains.some((known) => overlap(first, known))) return [principal];
    const expanded = trustDomains.map((known) => (endsAs(known, first) ? principal : [known, ...rest].join("/")));
    return [...new Set(expanded)];
  });
}

/** Returns trust domains with each that the mesh knows replaced by all that it knows. */
export function expandTrustDomains(values: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return [...new Set(values.flatMap((value) => (trustDomains.includes(value) ? trustDomains : [value])))];
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
