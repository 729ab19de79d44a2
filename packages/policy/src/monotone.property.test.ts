import { type AuthorizationPolicy, type AuthorizationRule, parseWorkload } from "@signet/documents";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilePolicies } from "./compile-policies.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { policiesFor, type WorkloadPolicies } from "./policies-for.ts";
import { generatePolicies } from "./testing/generate-policies.ts";
import { generateRequests } from "./testing/generate-requests.ts";
import { SeededRandom } from "./testing/random.ts";

const workload = parseWorkload("foo/app=httpbin");
const numRuns = Number(process.env.SIGNET_POLICY_RUNS ?? 150);
const timeoutMs = 30_000 + numRuns * 100;

function compile(documents: readonly AuthorizationPolicy[]): WorkloadPolicies {
  return policiesFor(compilePolicies({ documents, refused: [] }).compiled, workload);
}

const generated = fc
  .record({ seed: fc.nat(), count: fc.integer({ min: 1, max: 30 }) })
  .map(({ seed, count }) => ({ random: new SeededRandom(seed), seed, policies: generatePolicies(seed, { count }) }));

/** What an effect may not become: `allow` where it was `deny`. */
const width = { deny: 0, allow: 1 } as const;

function compare(
  before: WorkloadPolicies,
  after: WorkloadPolicies,
  { seed, check }: { readonly seed: number; readonly check: (before: Decision, after: Decision) => void },
): void {
  for (const request of generateRequests(seed, 12)) check(decide(before, request), decide(after, request));
}

describe("changes to policies", () => {
  test("adding a DENY policy never allows more", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(generated, fc.nat(), ({ seed, policies }, other) => {
        const denying = generatePolicies(other, { count: 6 })
          .filter(({ action }) => action === "DENY")
          .map((policy) => ({ ...policy, name: `more-${policy.name}`, dryRun: false }));
        compare(compile(policies), compile([...policies, ...denying]), {
          seed,
          check: (before, after) => expect(width[after.effect]).toBeLessThanOrEqual(width[before.effect]),
        });
      }),
      { numRuns },
    );
  });

  test("taking a condition out of an ALLOW rule never allows less", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(generated, ({ seed, random, policies }) => {
        const looser = policies.map((policy) =>
          policy.action === "ALLOW" ? { ...policy, rules: policy.rules.map((rule) => loosen(rule, random)) } : policy,
        );
        compare(compile(policies), compile(looser), {
          seed,
          check: (before, after) => expect(width[after.effect]).toBeGreaterThanOrEqual(width[before.effect]),
        });
      }),
      { numRuns },
    );
  });

  test("a policy cut into one for each rule decides the same", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(generated, ({ seed, policies }) => {
        const cut = policies.flatMap((policy) =>
          policy.rules.length === 0
            ? [policy]
            : policy.rules.map((rule, index) => ({ ...policy, name: `${policy.name}-${index}`, rules: [rule] })),
        );
        compare(compile(policies), compile(cut), {
          seed,
          check: (before, after) => {
            expect([after.effect, after.because]).toEqual([before.effect, before.because]);
            expect(after.audit.length).toBe(before.audit.length);
            expect([after.shadow.allow?.effect, after.shadow.deny?.effect]).toEqual([
              before.shadow.allow?.effect,
              before.shadow.deny?.effect,
            ]);
          },
        });
      }),
      { numRuns },
    );
  });

  test("the order of documents does not matter", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(generated, ({ seed, random, policies }) => {
        const shuffled = random.some(policies, policies.length, policies.length);
        compare(compile(policies), compile(shuffled), {
          seed,
          check: (before, after) => expect(after).toEqual(before),
        });
      }),
      { numRuns },
    );
  });
});

/** The rule without one of its conditions, somewhere. */
function loosen(rule: AuthorizationRule, random: SeededRandom): AuthorizationRule {
  const without = <T extends object>(fields: T): T => {
    const named = Object.entries(fields).filter(([, value]) => Array.isArray(value) && value.length > 0);
    if (named.length === 0) return fields;
    return { ...fields, [random.pick(named)[0]]: [] };
  };
  const at = <T extends object>(list: readonly T[]): readonly T[] => {
    const place = random.below(Math.max(1, list.length));
    return list.map((one, index) => (index === place ? without(one) : one));
  };
  const which = random.below(3);
  if (which === 0) return { ...rule, from: at(rule.from) };
  if (which === 1) return { ...rule, to: at(rule.to) };
  return { ...rule, when: rule.when.filter((_, index) => index !== 0) };
}
