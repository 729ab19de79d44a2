import { parseWorkload } from "@signet/documents";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilePolicies } from "./compile-policies.ts";
import { customProviders, decide } from "./decide.ts";
import { policiesFor } from "./policies-for.ts";
import { generatePolicies } from "./testing/generate-policies.ts";
import { generateRequests } from "./testing/generate-requests.ts";
import { customProvidersNaively, decideNaively } from "./testing/naive-decision.ts";

const workload = parseWorkload("foo/app=httpbin");
const runs = Number(process.env.SIGNET_POLICY_RUNS ?? 200);

const options = fc.record({
  trustDomain: fc.constantFrom("cluster.local", "prod.example"),
  trustDomainAliases: fc.constantFrom<readonly string[]>([], ["old.example"], ["old.example", "*.example"]),
  headerMatching: fc.constantFrom("each" as const, "joined" as const),
});

describe("properties of decisions", () => {
  test("the index decides as the naive interpreter does, with the same effective rule", () => {
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
  });
});
