import type { SigningCa } from "@signet/ca";
import { afterEach, describe, expect, it } from "vitest";
import { type ClockedCsrCa, endAll, isCreation, newCa } from "./testing/csr-fixture.ts";
import { drive, driveUntil } from "./testing/drive.ts";

const { signal } = new AbortController();

afterEach(endAll);

describe("signers that callers make up", () => {
  it("are asked a few at a time, however many are named, and whoever names them is gone", async () => {
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com" });
    const leaving = new AbortController();
    const all = nameMany(test, 500, leaving.signal);
    await driveUntil(test.clock, () => creationsIn(test) === 8);
    leaving.abort();
    await test.clock.advance(5_000);
    expect(creationsIn(test)).toBe(8);
    const outcomes = await drive(test.clock, all);
    expect(outcomes.filter((outcome) => outcome === "overloaded")).toHaveLength(500 - 8 - 64);
  });

  it("do not make those forgotten that sign", async () => {
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com" });
    const mesh = await drive(test.clock, test.ca.signerFor("mesh", signal));
    for (let round = 0; round < 20; round++) {
      const leaving = new AbortController();
      const all = nameMany(test, 8, leaving.signal, round * 8);
      leaving.abort();
      await all;
      await test.clock.advance(61_000);
    }
    expect(await drive(test.clock, test.ca.signerFor("mesh", signal))).toBe(mesh);
  });
});

function nameMany(test: ClockedCsrCa, count: number, within: AbortSignal, from = 0): Promise<readonly unknown[]> {
  const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : error);
  const ask = (index: number): Promise<SigningCa | unknown> =>
    test.ca.signerFor(`made-up-${from + index}`, within).catch(codeOf);
  return Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
}

function creationsIn({ cluster }: ClockedCsrCa): number {
  return cluster.requests.filter(isCreation).length;
}
