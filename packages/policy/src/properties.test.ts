import { isDeepStrictEqual } from "node:util";
import { parseWorkload } from "@signet/documents";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AuthorizationRequest } from "./authorization-request.ts";
import { compilePolicies } from "./compile-policies.ts";
import { customProviders, decide } from "./decide.ts";
import { explain } from "./explain.ts";
import { nearestAllow } from "./nearest-allow.ts";
import { policiesFor } from "./policies-for.ts";
import { generatePolicies } from "./testing/generate-policies.ts";
import { generateRequests } from "./testing/generate-requests.ts";
import { customProvidersNaively, decideNaively, type NaiveQuestion } from "./testing/naive-decision.ts";

const workload = parseWorkload("foo/app=httpbin");
const runs = Number(process.env.SIGNET_POLICY_RUNS ?? 100);

const options = fc.record({
  trustDomain: fc.constantFrom("cluster.local", "prod.example"),
  trustDomainAliases: fc.constantFrom<readonly string[]>([], ["old.example"], ["old.example", "*.example"]),
  headerMatching: fc.constantFrom("each" as const, "joined" as const),
});

const generated = fc
  .record({ seed: fc.nat(), count: fc.integer({ min: 0, max: 25 }), chosen: options, faulty: fc.boolean() })
  .map(({ seed, count, chosen, faulty }) => ({
    seed,
    chosen,
    documents: { documents: generatePolicies(seed, { count, faulty }), refused: [] },
  }));
const timeoutMs = 30_000 + runs * 100;

describe("properties of decisions", () => {
  test(
    "the index decides as the naive interpreter does, with the same effective rule",
    () => {
      fc.assert(
        fc.property(fc.nat(), fc.integer({ min: 0, max: 60 }), options, fc.boolean(), (seed, count, chosen, faulty) => {
          const documents = { documents: generatePolicies(seed, { count, faulty }), refused: [] };
          const policies = policiesFor(compilePolicies(documents, chosen).compiled, workload);
          for (const request of generateRequests(seed, 10)) {
            const question = { documents, options: chosen, workload, request };
            expect(decide(policies, request)).toEqual(decideNaively(question));
            expect(customProviders(policies, request)).toEqual(customProvidersNaively(question));
          }
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  test(
    "an explanation tells the decision, and each rule in it matches or not as the naive interpreter says",
    () => {
      fc.assert(
        fc.property(generated, ({ seed, documents, chosen }) => {
          const policies = policiesFor(compilePolicies(documents, chosen).compiled, workload);
          for (const request of generateRequests(seed, 4)) {
            const explanation = explain(policies, request, { maxRules: 1_000, nearestAllow: false });
            expect(explanation.decision).toEqual(decide(policies, request));
            expect(explanation.rules.filter(({ decided }) => decided).map(({ id }) => id)).toEqual(
              [explanation.decision.id].filter((id) => id !== undefined),
            );
            for (const { id, matched, failed } of explanation.rules) {
              expect([id, matched]).toEqual([
                id,
                matchesNaively(id, { documents, options: chosen, workload, request }),
              ]);
              expect(matched).toBe(failed.length === 0);
            }
          }
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  test(
    "a nearest allow is allowed, and what it does not change stays",
    () => {
      const counts = { denied: 0, found: 0 };
      fc.assert(
        fc.property(generated, ({ seed, documents, chosen }) => {
          const policies = policiesFor(compilePolicies(documents, chosen).compiled, workload);
          for (const request of generateRequests(seed, 3)) {
            const nearest = nearestAllow(policies, request);
            if (decide(policies, request).effect === "allow") {
              expect(nearest).toBeUndefined();
              continue;
            }
            counts.denied++;
            if (nearest === undefined) continue;
            counts.found++;
            expect(decide(policies, nearest.request).effect).toBe("allow");
            expect(decideNaively({ documents, options: chosen, workload, request: nearest.request }).effect).toBe(
              "allow",
            );
            expect(nearest.changes.length).toBeGreaterThan(0);
            expect(changedFields(request, nearest.request)).toBeLessThanOrEqual(nearest.changes.length);
          }
        }),
        { numRuns: runs },
      );
      expect(counts.found).toBeGreaterThan(counts.denied / 4);
    },
    timeoutMs,
  );

  test("where no nearest allow is found, none of some hundred other requests is allowed either", {
    timeout: timeoutMs,
  }, () => {
    for (let seed = 0; seed < 40; seed++) {
      const documents = { documents: generatePolicies(seed, { count: 1 + (seed % 12) }), refused: [] };
      const policies = policiesFor(compilePolicies(documents).compiled, workload);
      const others = generateRequests(seed + 1_000_000, 200);
      for (const request of generateRequests(seed, 4)) {
        if (decide(policies, request).effect === "allow" || nearestAllow(policies, request) !== undefined) continue;
        const allowed = others.filter(
          (other) => other.kind === request.kind && decide(policies, other).effect === "allow",
        );
        expect(allowed).toEqual([]);
      }
    }
  });
});

/** How many fields of a request differ; claims and headers are one field each. */
function changedFields(one: AuthorizationRequest, other: AuthorizationRequest): number {
  const [before, after]: readonly Readonly<Record<string, unknown>>[] = [{ ...one }, { ...other }];
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].filter((name) => !isDeepStrictEqual(before?.[name], after?.[name])).length;
}

/** By a question about that rule alone. */
function matchesNaively(id: string, question: NaiveQuestion): boolean {
  const [, namespace, name, index] = /^ns\[(.*)\]-policy\[(.*)\]-rule\[(\d+)\]$/.exec(id) ?? [];
  const documents = question.documents.documents.flatMap((document) =>
    document.kind === "AuthorizationPolicy" && document.namespace === namespace && document.name === name
      ? [{ ...document, dryRun: false, rules: document.rules.slice(Number(index), Number(index) + 1) }]
      : [],
  );
  const asked = { ...question, documents: { documents, refused: [] } };
  const { because, audit } = decideNaively(asked);
  return (
    because === "allow-matched" || because === "deny-matched" || audit.length + customProvidersNaively(asked).length > 0
  );
}
