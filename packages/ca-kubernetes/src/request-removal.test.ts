import { resources } from "@signet/kubernetes";
import { afterEach, describe, expect, it } from "vitest";
import {
  approvalsOf,
  deletionsOf,
  endAll,
  expectNothingLeft,
  isCreation,
  leftIn,
  pinnedCa,
  readyCa,
  sign,
  signerName,
  stopwatch,
} from "./testing/csr-fixture.ts";
import { drive, driveUntil } from "./testing/drive.ts";

const { certificateSigningRequests } = resources;

afterEach(endAll);

describe("the object of a request", () => {
  it("deletes the object when the caller goes away, with the caller's reason", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const caller = new AbortController();
    const reason = new Error("client went away");
    const signing = sign(test, caller.signal);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    caller.abort(reason);
    await expect(signing).rejects.toBe(reason);
    await expectNothingLeft(test);
  });

  it("deletes the object also when the caller goes away while it is created", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "slow", ms: 2_000, only: isCreation });
    const caller = new AbortController();
    const signing = sign(test, caller.signal);
    await test.clock.untilSleepers(1);
    caller.abort();
    await expect(signing).rejects.toBe(caller.signal.reason);
    await driveUntil(test.clock, () => deletionsOf(test.cluster) === 1);
    await expectNothingLeft(test);
    expect(approvalsOf(test.cluster)).toBe(0);
  });

  it("deletes the object also when the answer to its creation was lost", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "truncated", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(test.cluster.requests.filter(isCreation)).toHaveLength(1);
    await expectNothingLeft(test);
  });

  it("deletes once more when nobody knows whether the creation was heard: it may be heard later", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "half-open", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    await driveUntil(test.clock, () => deletionsOf(test.cluster) === 1);
    const spec = { request: "LS0t", signerName, usages: ["client auth"] };
    const name =
      test.cluster.requests
        .findLast(({ method }) => method === "DELETE")
        ?.path.split("/")
        .at(-1) ?? "";
    test.cluster.put(certificateSigningRequests, { metadata: { name }, spec });
    await expectNothingLeft(test);
  });

  it("goes on deleting for ten minutes, with growing waits, and then says what it left behind", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "status", status: 503, only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test));
    const sinceStart = stopwatch(test);
    await driveUntil(test.clock, () => test.events.all.length > 0, 1_000);
    expect(test.events.all).toMatchObject([{ name: "leftBehind", event: { name: expect.stringMatching(/^csr-/) } }]);
    expect(sinceStart()).toBeGreaterThanOrEqual(590_000);
    expect(deletionsOf(test.cluster)).toBeLessThan(60);
  });

  it("waits at its end for what is still to be deleted", async () => {
    const test = await readyCa();
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "slow", ms: 3_000, only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test), 10);
    expect(leftIn(test)).toBe(1);
    test.end();
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(leftIn(test)).toBe(0);
  });

  it("waits at its end for a quarter of a minute at most, and says what it left behind", async () => {
    const test = await readyCa();
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "half-open", only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test), 10);
    test.end();
    const sinceEnd = stopwatch(test);
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(sinceEnd()).toBeLessThan(16_000);
    expect(test.events.names()).toContain("leftBehind");
  });

  it("does not wait at its end to look twice", async () => {
    const test = await readyCa();
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "truncated", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    await expectNothingLeft(test);
    test.end();
    const sinceEnd = stopwatch(test);
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(sinceEnd()).toBeLessThan(2_000);
    expect(deletionsOf(test.cluster)).toBe(3);
    expect(test.events.names()).not.toContain("leftBehind");
  });
});
