import { FakeClock } from "@signet/runtime/testing";
import * as vitest from "vitest";
import { afterEach, describe, expect, it } from "vitest";
import { CaError } from "../errors.ts";
import { type FailoverFixture, failoverFixture, sealed } from "../testing/failover-fixture.ts";
import { fakeSigningCa, signingCaSuite } from "../testing.ts";

let running: FailoverFixture | undefined;

async function setUp(options: Parameters<typeof failoverFixture>[0] = {}): Promise<FailoverFixture> {
  running = await failoverFixture(options);
  return running;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const suiteClock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
signingCaSuite(vitest, {
  name: "failover group",
  create: async () => {
    const made = await failoverFixture();
    await made.stop();
    return made.group;
  },
  clock: suiteClock,
  shortensLifetime: "the other member may vouch for less time",
});

const toStandby = { kind: "switched", from: "primary", to: "standby", cause: "signer-failed", error: sealed };
const toPrimary = { kind: "switched", from: "standby", to: "primary", cause: "primary-recovered" };

describe("createFailoverGroup", () => {
  it("signs with the primary as long as that is good, and asks both for a canary", async () => {
    const { group, issue, signerOf, rounds, primary, standby, told } = await setUp();
    await rounds(5);
    expect([primary.requests.length, standby.requests.length]).toEqual([5, 5]);
    expect(signerOf(await issue())).toBe("primary");
    expect(group.active()).toBe("primary");
    expect(told).toEqual([]);
    expect(group.health.current()).toEqual({ state: "good" });
  });

  it("distributes the roots of both from the beginning, the primary's text first", async () => {
    const { group, primary, standby } = await setUp();
    const [one, other] = [primary.trustBundle.current()?.pem ?? "", standby.trustBundle.current()?.pem ?? ""];
    expect(group.trustBundle.current()?.pem).toBe(one + other);
    expect(group.trustBundle.current()).toBe(group.trustBundle.current());
  });

  it("switches after three failed canaries, tells of it, and loses no call after that", async () => {
    const { group, issue, signerOf, rounds, primary, told } = await setUp();
    primary.failWith(sealed);
    await rounds(2);
    expect(group.active()).toBe("primary");
    await rounds(1);
    expect(group.active()).toBe("standby");
    expect(told).toEqual([{ kind: "memberFailed", member: "primary", signingCa: "vault", error: sealed }, toStandby]);
    expect(signerOf(await issue())).toBe("standby");
    expect(group.health.current()).toEqual({ state: "degraded", reason: "the standby signs" });
  });

  it("begins to count again with every good canary", async () => {
    const { group, rounds, primary, told } = await setUp();
    for (let turn = 0; turn < 4; turn++) {
      primary.failWith(sealed);
      await rounds(2);
      primary.failWith(undefined);
      await rounds(1);
    }
    expect(group.active()).toBe("primary");
    expect(told).toEqual([]);
  });

  it("switches within calls, without waiting for a canary, and has the last one signed", async () => {
    const { group, issue, signerOf, primary, told } = await setUp();
    primary.failWith(sealed);
    await expect(issue(undefined, "one")).rejects.toBe(sealed);
    await expect(issue(undefined, "two")).rejects.toBe(sealed);
    expect(signerOf(await issue(undefined, "three"))).toBe("standby");
    expect(signerOf(await issue())).toBe("standby");
    expect(group.active()).toBe("standby");
    expect(told.filter(({ kind }) => kind === "switched")).toEqual([toStandby]);
  });

  it("counts calls that fail together as one failure", async () => {
    const { group, issue, primary } = await setUp();
    primary.failWith(sealed);
    const failed = await Promise.allSettled(Array.from({ length: 50 }, () => issue()));
    expect(failed.every(({ status }) => status === "rejected")).toBe(true);
    expect(group.active()).toBe("primary");
  });

  it("has calls signed by the standby that were under way on the primary when it was given up", async () => {
    const started: ((error: Error) => void)[] = [];
    const { group, issue, signerOf, rounds, primary } = await setUp({
      wrap: (member) => {
        if (member.name !== "vault") return member;
        return {
          ...member,
          sign: (request, signal) =>
            request.template.notAfter.getTime() - request.template.notBefore.getTime() > 600_000
              ? new Promise((_, reject) => started.push(reject))
              : member.sign(request, signal),
        };
      },
    });
    const calls = [issue(), issue()];
    await new Promise(setImmediate);
    primary.failWith(sealed);
    await rounds(3);
    expect(group.active()).toBe("standby");
    for (const fail of started) fail(sealed);
    expect((await Promise.all(calls)).map(signerOf)).toEqual(["standby", "standby"]);
  });

  it.each(["signer-refused", "lifetime-unsupported", "signing-failed", "overloaded"] as const)(
    "does not let callers bring about a switch by what the primary answers with %s",
    async (code) => {
      const { group, issue, primary, standby } = await setUp();
      const refusal = new CaError(code, "no");
      primary.failWith(refusal);
      for (let call = 0; call < 10; call++) await expect(issue()).rejects.toBe(refusal);
      expect(group.active()).toBe("primary");
      expect(standby.requests).toEqual([]);
    },
  );

  it("switches when canaries are refused, or are not what was asked for", async () => {
    const refused = await setUp();
    refused.primary.failWith(new CaError("signer-refused", "permission denied"));
    await refused.rounds(3);
    expect(refused.group.active()).toBe("standby");
    await refused.stop();
    const stranger = await fakeSigningCa();
    const canarySigner = await fakeSigningCa({
      name: "vault",
      keyIsLocal: false,
      alter: (chain) => [chain[0], ...(stranger.trustBundle.current()?.authorities ?? [])],
    });
    const altered = await setUp({ primary: { ...canarySigner, sign: (...args) => stranger.sign(...args) } });
    await altered.rounds(3);
    expect(altered.group.active()).toBe("standby");
    expect(altered.told.at(-1)).toMatchObject({ error: { code: "issued-svid-mismatch" } });
  });

  it("does not switch for the impatience of one caller", async () => {
    const { group, issue } = await setUp({
      wrap: (member) => ({
        ...member,
        sign: (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(sealed))),
      }),
    });
    const reason = new Error("client went away");
    for (let call = 0; call < 5; call++) {
      const controller = new AbortController();
      const signing = issue(controller.signal);
      controller.abort(reason);
      await expect(signing).rejects.toBe(reason);
    }
    expect(group.active()).toBe("primary");
  });

  it("counts a canary that takes too long", async () => {
    const { group, rounds } = await setUp({
      wrap: (member) => (member.name === "vault" ? { ...member, sign: () => new Promise(() => {}) } : member),
    });
    await rounds(6);
    expect(group.active()).toBe("standby");
  });
});

describe("createFailoverGroup and the way back", () => {
  async function onStandby(options: Parameters<typeof failoverFixture>[0] = {}) {
    const made = await setUp(options);
    made.primary.failWith(sealed);
    await made.rounds(3);
    expect(made.group.active()).toBe("standby");
    return made;
  }

  it("comes back after three good canaries in a row, and tells of it", async () => {
    const { group, issue, signerOf, rounds, primary, told } = await onStandby();
    primary.failWith(undefined);
    await rounds(2);
    primary.failWith(sealed);
    await rounds(1);
    primary.failWith(undefined);
    await rounds(2);
    expect(group.active()).toBe("standby");
    await rounds(1);
    expect(group.active()).toBe("primary");
    expect(signerOf(await issue())).toBe("primary");
    expect(told.slice(2)).toEqual([{ kind: "memberRecovered", member: "primary", signingCa: "vault" }, toPrimary]);
    expect(group.health.current()).toEqual({ state: "good" });
  });

  it("stays where it is while both fail, and says so", async () => {
    const { group, issue, rounds, standby, told } = await onStandby();
    standby.failWith(sealed);
    await rounds(20);
    await expect(issue()).rejects.toBe(sealed);
    expect(group.active()).toBe("standby");
    expect(group.health.current()).toEqual({
      state: "failing",
      reason: "neither the primary nor the standby signs",
    });
    expect(told.filter(({ kind }) => kind === "switched")).toEqual([toStandby]);
  });

  it("takes whichever is good first when both failed", async () => {
    const { group, issue, signerOf, rounds, primary, standby } = await onStandby();
    standby.failWith(sealed);
    await rounds(5);
    primary.failWith(undefined);
    await rounds(1);
    expect(group.active()).toBe("primary");
    expect(signerOf(await issue())).toBe("primary");
  });

  it("does not switch to a standby that failed when it was asked last", async () => {
    const { group, rounds, primary, standby, told } = await setUp();
    standby.failWith(sealed);
    await rounds(3);
    expect(told).toEqual([{ kind: "memberFailed", member: "standby", signingCa: "plugged-in", error: sealed }]);
    expect(group.health.current()).toEqual({ state: "degraded", reason: "the standby does not sign" });
    primary.failWith(sealed);
    await rounds(5);
    expect(group.active()).toBe("primary");
    standby.failWith(undefined);
    await rounds(1);
    expect(group.active()).toBe("standby");
  });

  it("switches at most once in an interval, except when the wall clock is set back", async () => {
    const { group, issue, primary, standby, clock } = await setUp({ failuresToSwitch: 1 });
    primary.failWith(sealed);
    await issue();
    standby.failWith(sealed);
    primary.failWith(undefined);
    await expect(issue()).rejects.toBe(sealed);
    expect(group.active()).toBe("standby");
    clock.jump(-3_600_000);
    await clock.advance(1);
    expect(group.active()).toBe("primary");
  });
});
