import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { type CheckMesh, startCheckMesh } from "./policies/check-mesh.ts";
import type { PolicyFigures } from "./policies/compare.ts";
import { compareChecks } from "./policies/compare-check.ts";
import { createIdentities } from "./policies/identities.ts";
import { makePolicySet } from "./policies/policy-sets.ts";
import { Random } from "./support/random.ts";
import { differentialRuns, differentialTimeoutMs } from "./support/runs.ts";

const envoy = await findTestEnvoy();
const { runs, seed } = differentialRuns(1_500);
const perSet = 120;

describe.skipIf(envoy.path === "")(`ext_authz of a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  const random = new Random(seed + 1_000);
  const policySets = Array.from({ length: Math.ceil(runs / 100) }, (_, index) => makePolicySet(random, index));
  let mesh: CheckMesh;
  let figures: PolicyFigures;

  beforeAll(async () => {
    const identities = await createIdentities();
    mesh = await startCheckMesh(envoy.path, policySets, identities);
    figures = await compareChecks({ mesh, identities, seed, perSet }, policySets);
    const rows = [...figures.outcomes].map(([name, count]) => `  ${String(count).padStart(6)} ${name}\n`).join("");
    process.stderr.write(
      `${figures.decisions} checks, seed ${seed}:\n${rows}${figures.unexplained.length} unexplained\n`,
    );
  }, differentialTimeoutMs);
  afterAll(() => mesh?.stop());

  test("asks our server, which decides every request as the engine does, by the same rule", () => {
    expect(figures.unexplained.slice(0, 10)).toEqual([]);
    expect(figures.decisions).toBeGreaterThan(runs / 2);
  });
});
