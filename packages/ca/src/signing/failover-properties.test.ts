import { createSource } from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type FailoverFixture, failoverFixture, intervalMs, sealed } from "../testing/failover-fixture.ts";
import { fakeSigningCa } from "../testing.ts";

/** Made once; what a test changes about them is in wrappers of its own. */
const [realPrimary, realStandby] = [
  await fakeSigningCa({ name: "vault", keyIsLocal: false }),
  await fakeSigningCa({ name: "plugged-in" }),
];

const tickMs = 500;

type Role = "primary" | "standby";

/** A member whose roots may be unknown, and which watches that nobody has it sign then. */
function watched(real: typeof realPrimary, known: boolean) {
  const bundle = real.trustBundle.current();
  const trustBundle = createSource<TrustBundle>(known ? bundle : undefined);
  const state = { fails: false, signedUnknown: 0 };
  const member = {
    ...real,
    trustBundle,
    sign: async (...args: Parameters<typeof real.sign>) => {
      if (trustBundle.current() === undefined) state.signedUnknown++;
      if (state.fails) throw sealed;
      return await real.sign(...args);
    },
  };
  return { member, state, learn: () => bundle !== undefined && trustBundle.publish(bundle) };
}

const role = fc.constantFrom<Role>("primary", "standby");
const step = fc.oneof(
  fc.record({ kind: fc.constant("fail" as const), role }),
  fc.record({ kind: fc.constant("mend" as const), role }),
  fc.record({ kind: fc.constant("learn" as const), role }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 6 * intervalMs }) }),
  fc.record({ kind: fc.constant("call" as const), count: fc.integer({ min: 1, max: 3 }) }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Members = Readonly<Record<Role, ReturnType<typeof watched>>>;

/** Watches every switch: each is told of, and says from whom to whom. */
function switchLog({ group, clock, told }: FailoverFixture) {
  const instants: number[] = [];
  let [seen, active] = [0, group.active()];
  return {
    instants,
    notice(): void {
      for (const event of told.slice(seen).filter(({ kind }) => kind === "switched")) {
        expect(event.from).toBe(active);
        active = event.to === "primary" ? "primary" : "standby";
        instants.push(clock.now().getTime());
      }
      seen = told.length;
      expect(group.active()).toBe(active);
    },
  };
}

async function take(
  each: Step,
  { members, fixture, notice }: { members: Members; fixture: FailoverFixture; notice: () => void },
) {
  switch (each.kind) {
    case "fail":
    case "mend":
      members[each.role].state.fails = each.kind === "fail";
      return;
    case "learn":
      members[each.role].learn();
      return;
    case "wait":
      // In small steps, so that the instant of each switch is known.
      for (let left = each.ms; left > 0; left -= tickMs) {
        await fixture.clock.advance(Math.min(left, tickMs));
        notice();
      }
      return;
    case "call":
      for (const outcome of await Promise.allSettled(Array.from({ length: each.count }, () => fixture.issue()))) {
        if (outcome.status === "fulfilled") expect(fixture.signerOf(outcome.value)).not.toBe("neither");
        else expect(["signer-unavailable", "ca-not-ready"]).toContain(outcome.reason.code);
      }
      notice();
  }
}

/** Whatever went before: one good member is enough before long, and a good primary is the one that signs. */
async function settlesOn(survivor: Role, members: Members, { clock, group, issue }: FailoverFixture): Promise<void> {
  for (const each of ["primary", "standby"] as const) {
    members[each].learn();
    members[each].state.fails = each !== survivor;
  }
  await clock.advance(8 * intervalMs);
  expect(group.active()).toBe(survivor);
  await issue();
  members.primary.state.fails = false;
  await clock.advance(8 * intervalMs);
  expect(group.active()).toBe("primary");
}

it("switches at most once in an interval, never silently, and never signs under roots that nobody knows", async () => {
  const setting = fc.record({
    known: fc.record({ primary: fc.boolean(), standby: fc.boolean() }),
    failuresToSwitch: fc.integer({ min: 1, max: 3 }),
    successesToReturn: fc.integer({ min: 1, max: 3 }),
    survivor: role,
    steps: fc.array(step, { minLength: 8, maxLength: 40, size: "max" }),
  });
  let switches = 0;
  await fc.assert(
    fc.asyncProperty(setting, async ({ known, steps, survivor, ...patience }) => {
      const members = { primary: watched(realPrimary, known.primary), standby: watched(realStandby, known.standby) };
      const { primary, standby } = members;
      const roles = { primary: primary.member, standby: standby.member };
      const fixture = await failoverFixture({ ...patience, ...roles, settleMs: 2 * intervalMs });
      const { instants, notice } = switchLog(fixture);
      for (const each of steps) await take(each, { members, fixture, notice });
      for (const [index, instant] of instants.entries()) {
        // A switch within a wait is noticed a little late.
        if (index > 0) expect(instant - (instants[index - 1] ?? 0)).toBeGreaterThan(intervalMs - tickMs);
      }
      switches += instants.length;
      await settlesOn(survivor, members, fixture);
      expect([primary.state.signedUnknown, standby.state.signedUnknown]).toEqual([0, 0]);
      await fixture.stop();
    }),
    { numRuns: 150, seed: 11 },
  );
  expect(switches).toBeGreaterThan(60);
});
