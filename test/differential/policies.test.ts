import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { comparePolicies, type PolicyFigures } from "./policies/compare.ts";
import { type PolicyMesh, startPolicyMesh } from "./policies/envoy-mesh.ts";
import { createIdentities } from "./policies/identities.ts";
import { makePolicySet } from "./policies/policy-sets.ts";
import { Random } from "./support/random.ts";
import { differentialRuns, differentialTimeoutMs } from "./support/runs.ts";

const envoy = await findTestEnvoy();
const { runs, seed } = differentialRuns(6_000);
const [httpPerSet, tcpPerSet] = [120, 15];

describe.skipIf(envoy.path === "")(`RBAC of a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  const random = new Random(seed);
  // Not every set has as many requests as it may have.
  const policySets = Array.from({ length: Math.ceil(runs / 110) }, (_, index) => makePolicySet(random, index));
  let mesh: PolicyMesh;
  let figures: PolicyFigures;

  beforeAll(async () => {
    const identities = await createIdentities();
    mesh = await startPolicyMesh(envoy.path, policySets, identities);
    figures = await comparePolicies({ mesh, identities, seed, httpPerSet, tcpPerSet }, policySets);
    process.stderr.write(describeFigures(figures));
  }, differentialTimeoutMs);
  afterAll(() => mesh?.stop());

  test("decides every request and connection as the engine does, by the same rule", () => {
    expect(figures.unexplained.slice(0, 5)).toEqual([]);
  });

  test("is asked about what matters: rules that allow, rules that deny, and none", () => {
    const { decisions, outcomes, undecided } = figures;
    expect(decisions).toBeGreaterThan(runs * 0.8);
    for (const outcome of ["allow a rule", "deny a rule", "deny none", "allow all", "TCP allow", "TCP deny a rule"]) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(decisions / 1_000);
    }
    const lost = [...undecided.values()].reduce((sum, count) => sum + count, 0);
    expect(lost).toBeLessThan(decisions / 8);
  });
});

function describeFigures({ decisions, outcomes, undecided, unexplained }: PolicyFigures): string {
  const rows = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `  ${String(count).padStart(6)} ${name}\n`)
      .join("");
  return `${decisions} decisions, seed ${seed}:\n${rows(outcomes)}answered before any filter:\n${rows(undecided)}${unexplained.length} unexplained\n${unexplained.slice(0, 20).join("\n")}\n`;
}
