import type { ConstrainedName } from "./constrained-names.ts";
import { endsInLabels } from "./dns-labels.ts";
import { formOf, type NameConstraints, type NameSubtree } from "./name-constraints.ts";

/** Why a name is not allowed; "unsupported" if that could not be judged. */
export interface NameProblem {
  readonly kind: "constrained" | "unsupported" | "too-complex";
  /** Completes a sentence that begins with the CA that has the constraints. */
  readonly detail: string;
}

/** Most comparisons of a name with a subtree for one certificate and one CA; honest ones take a handful. */
const maxComparisons = 100_000;

type Verdict = "inside" | "outside" | "unknown";

/**
 * Returns why `constraints` do not allow one of `names`, or undefined (RFC 5280 section 6.1.4 (g)): a name must be in
 * no excluded subtree, and in a permitted one if there is any of its form.
 *
 * A name of a constrained form that is not well-formed is never allowed. A subtree that cannot be judged forbids the
 * names of its form if the extension is critical, and else counts for nothing.
 */
export function nameProblem(names: readonly ConstrainedName[], constraints: NameConstraints): NameProblem | undefined {
  if (names.length * (constraints.permitted.length + constraints.excluded.length) > maxComparisons) {
    return { kind: "too-complex", detail: "has more name constraints than can be compared" };
  }
  for (const name of names) {
    const problem = excludedProblem(name, constraints) ?? permittedProblem(name, constraints);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}

function excludedProblem(name: ConstrainedName, { excluded, critical }: NameConstraints): NameProblem | undefined {
  for (const subtree of excluded) {
    const verdict = formOf(subtree) === name.form ? judge(name, subtree, "excluded") : "outside";
    if (verdict === "inside") {
      return { kind: "constrained", detail: `excludes ${name.text}` };
    }
    if (verdict === "unknown" && (critical || name.kind === "malformed")) {
      return unjudged(name);
    }
  }
  return undefined;
}

function permittedProblem(name: ConstrainedName, { permitted, critical }: NameConstraints): NameProblem | undefined {
  const verdicts = permitted
    .filter((subtree) => formOf(subtree) === name.form)
    .map((subtree) => judge(name, subtree, "permitted"));
  if (verdicts.length === 0 || verdicts.includes("inside")) {
    return undefined;
  }
  if (!verdicts.includes("unknown")) {
    return { kind: "constrained", detail: `does not permit ${name.text}` };
  }
  return critical || name.kind === "malformed" ? unjudged(name) : undefined;
}

function unjudged(name: ConstrainedName): NameProblem {
  return name.kind === "malformed"
    ? { kind: "constrained", detail: `constrains names of this form, and ${name.text} is malformed` }
    : { kind: "unsupported", detail: `has a name constraint on ${name.text} that is not supported` };
}

function judge(name: ConstrainedName, subtree: NameSubtree, list: "permitted" | "excluded"): Verdict {
  if (name.kind === "dns" && subtree.kind === "dns") {
    return inside(subtree.labels.length === 0 ? list === "excluded" : dnsInside(name.labels, subtree, list));
  }
  if (name.kind === "uri" && subtree.kind === "uri") {
    return inside(subtree.labels.length === 0 ? list === "excluded" : uriInside(name.labels, subtree));
  }
  if (name.kind === "ip" && subtree.kind === "ip") {
    return inside(ipInside(name.octets, subtree));
  }
  if (name.kind === "directory" && subtree.kind === "directory") {
    return inside(subtree.relativeNames.every((relativeName, index) => name.relativeNames[index] === relativeName));
  }
  return "unknown";
}

type Domain = { readonly labels: readonly string[]; readonly subdomainsOnly: boolean };

/** Zero or more labels in front are allowed, one at least where the constraint begins with a period, as in Go and OpenSSL. */
function dnsInside(labels: readonly string[], base: Domain, list: "permitted" | "excluded"): boolean {
  if (endsInLabels(labels, base.labels)) {
    return !base.subdomainsOnly || labels.length > base.labels.length;
  }
  // A wildcard stands for every label, also for the one that is excluded.
  const isOneOfWildcard =
    labels[0] === "*" && labels.length === base.labels.length && endsInLabels(base.labels, labels.slice(1));
  return list === "excluded" && isOneOfWildcard && !base.subdomainsOnly;
}

/** Exactly that host, or any host below it where the constraint begins with a period. */
function uriInside(labels: readonly string[], base: Domain): boolean {
  const more = labels.length - base.labels.length;
  return endsInLabels(labels, base.labels) && (base.subdomainsOnly ? more > 0 : more === 0);
}

function ipInside(octets: Uint8Array, { address, mask }: { address: Uint8Array; mask: Uint8Array }): boolean {
  return (
    octets.length === address.length &&
    mask.every((bits, index) => ((octets[index] ?? 0) & bits) === ((address[index] ?? 0) & bits))
  );
}

function inside(isInside: boolean): Verdict {
  return isInside ? "inside" : "outside";
}
