import type { SigningCa } from "@signet/ca";
import { testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { type ClockedCsrCa, endAll, isCreation, newCa, requestOf } from "./testing/csr-fixture.ts";
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

  it("keep a bounded number of calls waiting where a root file says all there is to know", async () => {
    const root = await testRoot();
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com", rootPem: root.pem });
    const leaving = new AbortController();
    const named = await Promise.all(
      Array.from({ length: 40 }, (_, index) => test.ca.signerFor(`made-up-${index}`, signal)),
    );
    const signing = Promise.all(
      named.flatMap((signer) =>
        Array.from({ length: 10 }, () => signer.sign(requestOf(test), leaving.signal).catch(codeOf)),
      ),
    );
    await driveUntil(test.clock, () => creationsIn(test) === 32);
    await test.clock.advance(1_000);
    expect(creationsIn(test)).toBe(32);
    leaving.abort();
    const outcomes = await drive(test.clock, signing);
    expect(outcomes.filter((outcome) => outcome === "overloaded")).toHaveLength(400 - 32 - 96);
  });

  it("do not push out one that signs where a root file says all there is to know", async () => {
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com", quiet: true });
    const pinned = await newCa({ noDefault: true, certSignerDomain: "example.com", rootPem: test.signer.root.pem });
    pinned.signer.replaceCa(test.signer.root, test.signer.intermediate);
    const mesh = await pinned.ca.signerFor("mesh", signal);
    await drive(pinned.clock, mesh.sign(requestOf(pinned), signal));
    await nameMany(pinned, 200, signal);
    expect(await pinned.ca.signerFor("mesh", signal)).toBe(mesh);
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

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}

function nameMany(test: ClockedCsrCa, count: number, within: AbortSignal, from = 0): Promise<readonly unknown[]> {
  const ask = (index: number): Promise<SigningCa | unknown> =>
    test.ca.signerFor(`made-up-${from + index}`, within).catch(codeOf);
  return Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
}

function creationsIn({ cluster }: ClockedCsrCa): number {
  return cluster.requests.filter(isCreation).length;
}
