import { type AuthorizationPolicy, parseWorkload } from "@signet/documents";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicies } from "../compile-policies.ts";
import { decide } from "../decide.ts";
import { lint } from "../lint.ts";
import { parseIpAddress } from "../match/ip-address.ts";
import { policiesFor } from "../policies-for.ts";
import { generatePolicies } from "../testing/generate-policies.ts";
import { generateRequests } from "../testing/generate-requests.ts";
import type { LintId } from "./lint-catalog.ts";

const workload = parseWorkload("foo/app=httpbin");
const runs = Number(process.env.SIGNET_POLICY_RUNS ?? 150);
const sets = fc.record({
  seed: fc.nat(),
  count: fc.integer({ min: 1, max: 12 }),
  trustDomain: fc.constantFrom("cluster.local", "prod.example"),
  trustDomainAliases: fc.constantFrom<readonly string[]>([], ["old.example"]),
});

/** Rules by policy and index that `lint` says something of. */
function rulesWith(policies: readonly AuthorizationPolicy[], id: LintId): ReadonlySet<string> {
  const paths = lint({ documents: policies }).filter((finding) => finding.id === id);
  return new Set(
    paths.flatMap(({ document, path }) => (/^spec\.rules\[\d+\]$/.test(path) ? [`${document?.name}#${path}`] : [])),
  );
}

function withoutRules(
  policies: readonly AuthorizationPolicy[],
  rules: ReadonlySet<string>,
): readonly AuthorizationPolicy[] {
  return policies.map((policy) => ({
    ...policy,
    rules: policy.rules.filter((_, index) => !rules.has(`${policy.name}#spec.rules[${index}]`)),
  }));
}

describe("what lint says of rules is so, since", () => {
  it("without those that are shadowed every request is decided as before", () => {
    let found = 0;
    fc.assert(
      fc.property(sets, ({ seed, count, ...options }) => {
        const documents = generatePolicies(seed, { count });
        const shadowed = rulesWith(documents, "rule-shadowed");
        found += shadowed.size;
        const effectWith = effects(documents, options);
        const effectWithout = effects(withoutRules(documents, shadowed), options);
        for (const request of readableRequests(seed)) expect(effectWithout(request)).toBe(effectWith(request));
      }),
      { numRuns: runs },
    );
    expect(found).toBeGreaterThan(runs / 20);
  });

  it("one that never matches never decides an HTTP request", () => {
    let found = 0;
    fc.assert(
      fc.property(sets, ({ seed, count, ...options }) => {
        const documents = generatePolicies(seed, { count });
        const never = rulesWith(documents, "rule-never-matches");
        found += never.size;
        const decider = deciding(documents, options);
        for (const request of readableRequests(seed)) {
          const { policy, ruleIndex } = decider(request);
          const name = `${policy?.name}#spec.rules[${ruleIndex}]`;
          if (request.kind === "http") expect(never.has(name)).toBe(false);
        }
      }),
      { numRuns: runs },
    );
    expect(found).toBeGreaterThan(runs / 20);
  });

  it("one that is denied never allows anything", () => {
    let found = 0;
    fc.assert(
      fc.property(sets, ({ seed, count, ...options }) => {
        const documents = generatePolicies(seed, { count });
        const denied = rulesWith(documents, "rule-denied");
        found += denied.size;
        const decider = deciding(documents, options);
        for (const request of readableRequests(seed)) {
          const { effect, policy, ruleIndex } = decider(request);
          if (effect === "allow") expect(denied.has(`${policy?.name}#spec.rules[${ruleIndex}]`)).toBe(false);
        }
      }),
      { numRuns: runs },
    );
    expect(found).toBeGreaterThan(runs / 20);
  });
});

/**
 * Where an address cannot be read, conditions on it fall to the side of denying, whatever else they say; and a star is no
 * octet that is not UTF-8, which a prefix takes.
 */
function readableRequests(seed: number): readonly Request[] {
  return generateRequests(seed, 40).filter((request) => {
    const { directRemoteIp, remoteIp, destinationIp } = request;
    const addresses = [directRemoteIp, remoteIp, destinationIp];
    if (!addresses.every((ip) => ip === undefined || parseIpAddress(ip) !== undefined)) return false;
    return Object.values(request).every((value) => typeof value !== "string" || /^[\u0020-\u007e]*$/.test(value));
  });
}

type Options = { readonly trustDomain: string; readonly trustDomainAliases: readonly string[] };
type Request = ReturnType<typeof generateRequests>[number];

function deciding(
  documents: readonly AuthorizationPolicy[],
  options: Options,
): (request: Request) => ReturnType<typeof decide> {
  const policies = policiesFor(compilePolicies({ documents, refused: [] }, options).compiled, workload);
  return (request) => decide(policies, request);
}

function effects(documents: readonly AuthorizationPolicy[], options: Options): (request: Request) => string {
  const decider = deciding(documents, options);
  return (request) => decider(request).effect;
}
