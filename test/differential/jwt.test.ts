import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { compareWithEnvoy, type JwtFigures } from "./jwt/compare.ts";
import { explanations } from "./jwt/explained.ts";
import { type JwtMesh, startJwtMesh } from "./jwt/jwt-mesh.ts";
import { makeRuleSet } from "./jwt/rule-sets.ts";
import { createSigningKeys } from "./jwt/signing-keys.ts";
import { Random } from "./support/random.ts";
import { differentialRuns, differentialTimeoutMs } from "./support/runs.ts";

const envoy = await findTestEnvoy();
const { runs, seed } = differentialRuns(2_000);
const requestsPerSet = 25;

describe.skipIf(envoy.path === "")(`jwt_authn of a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  const random = new Random(seed);
  const signingKeys = createSigningKeys();
  const ruleSets = Array.from({ length: Math.ceil(runs / requestsPerSet) }, (_, index) =>
    makeRuleSet(random, index, signingKeys),
  );
  let mesh: JwtMesh;
  let figures: JwtFigures;

  beforeAll(async () => {
    mesh = await startJwtMesh(envoy.path, ruleSets);
    figures = await compareWithEnvoy(mesh, { ruleSets, signingKeys, seed, requestsPerSet });
    process.stderr.write(describeFigures(figures));
  }, differentialTimeoutMs);
  afterAll(() => mesh?.stop());

  test("does to every request what our library does, but for the differences that are named", () => {
    expect(figures.unexplained.slice(0, 5)).toEqual([]);
  });

  test("is asked about what matters: identities, no identity, and most reasons to refuse", () => {
    expect(figures.requests).toBe(ruleSets.length * requestsPerSet);
    expect(figures.outcomes.get("authenticated")).toBeGreaterThan(figures.requests / 5);
    expect(figures.outcomes.get("anonymous")).toBeGreaterThan(figures.requests / 50);
    expect(figures.outcomes.size).toBeGreaterThan(18);
  });

  test("differs seldom, and only as the table says", () => {
    const differing = [...figures.explained.values()].reduce((sum, count) => sum + count, 0);
    expect(differing).toBeLessThan(figures.requests / 20);
    expect(explanations.map(({ name }) => name)).toEqual(expect.arrayContaining([...figures.explained.keys()]));
  });
});

function describeFigures({ requests, outcomes, explained, unexplained }: JwtFigures): string {
  const rows = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `  ${String(count).padStart(6)} ${name}\n`)
      .join("");
  return `${requests} requests, seed ${seed}; both sides alike:\n${rows(outcomes)}explained:\n${rows(explained)}${unexplained.length} unexplained\n${unexplained.slice(0, 20).join("\n")}\n`;
}
