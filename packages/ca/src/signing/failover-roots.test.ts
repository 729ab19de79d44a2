import { createSource } from "@signet/runtime";
import { certificatePem, type TrustBundle } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { type FailoverFixture, failoverFixture, intervalMs, sealed } from "../testing/failover-fixture.ts";
import { fakeSigningCa } from "../testing.ts";

let running: FailoverFixture | undefined;

async function setUp(options: Parameters<typeof failoverFixture>[0] = {}): Promise<FailoverFixture> {
  running = await failoverFixture(options);
  return running;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describe("createFailoverGroup and the members' roots", () => {
  /** Makes a primary whose bundle is not known yet. */
  async function unknownPrimary() {
    const primary = await fakeSigningCa({ name: "vault", keyIsLocal: false });
    const bundle = primary.trustBundle.current();
    if (bundle === undefined) throw new Error("no trust bundle");
    return { primary: { ...primary, trustBundle: createSource<TrustBundle>() }, bundle };
  }

  it("never signs with a member whose roots are not known", async () => {
    const { primary } = await unknownPrimary();
    const { group, issue, signerOf, rounds, told, standby } = await setUp({ primary });
    expect(group.trustBundle.current()).toBe(standby.trustBundle.current());
    expect(signerOf(await issue())).toBe("standby");
    await rounds(3);
    expect(primary.requests).toEqual([]);
    expect(told[0]).toMatchObject({ kind: "switched", to: "standby", cause: "signer-not-ready" });
  });

  it("goes to roots that came later only after peers had the time to learn of them", async () => {
    const { primary, bundle } = await unknownPrimary();
    const { group, issue, signerOf, rounds } = await setUp({ primary, settleMs: 10 * intervalMs });
    await issue();
    primary.trustBundle.publish(bundle);
    expect(group.trustBundle.current()?.authorities).toHaveLength(2);
    await rounds(10);
    expect(group.active()).toBe("standby");
    expect(group.health.current()).toEqual({
      state: "degraded",
      reason: "the standby signs until the primary's roots are known",
    });
    await rounds(1);
    expect(group.active()).toBe("primary");
    expect(signerOf(await issue())).toBe("primary");
  });

  it("does not wait for that when nobody else can sign", async () => {
    const { primary, bundle } = await unknownPrimary();
    const { group, issue, rounds, standby } = await setUp({ primary });
    await issue();
    primary.trustBundle.publish(bundle);
    await rounds(2);
    standby.failWith(sealed);
    await rounds(3);
    expect(group.active()).toBe("primary");
  });

  it("publishes the roots of a primary that came back with others, and refuses what leads to none of them", async () => {
    const { group, issue, rounds, primary } = await setUp();
    const other = await fakeSigningCa();
    const before = group.trustBundle.current();
    const [root] = other.trustBundle.current()?.authorities ?? [];
    if (root === undefined) throw new Error("no root");
    const stop = new AbortController();
    const seen: TrustBundle[] = [];
    const following = (async () => {
      for await (const bundle of group.trustBundle.changes(stop.signal)) seen.push(bundle);
    })();
    await new Promise(setImmediate);
    primary.trustBundle.publish(other.trustBundle.current() ?? { authorities: [], pem: "", skipped: [] });
    await new Promise(setImmediate);
    stop.abort();
    await following;
    expect(seen).toEqual([before, group.trustBundle.current()]);
    expect(seen[1]?.pem.startsWith(certificatePem(root))).toBe(true);
    // The fake goes on signing under its old root, which is published no longer.
    await expect(issue()).rejects.toMatchObject({ code: "issued-svid-mismatch" });
    await rounds(3);
    expect(group.active()).toBe("standby");
    await expect(issue()).resolves.toBeDefined();
  });

  it("vouches for no longer than the member that signs, also when that changes within a call", async () => {
    const { group, issue, signerOf, primary, standby } = await setUp({ failuresToSwitch: 1 });
    standby.setNotAfterLimit(new Date("2026-11-01T12:10:00.900Z"));
    primary.failWith(sealed);
    const chain = await issue();
    expect(signerOf(chain)).toBe("standby");
    expect(chain[0].notAfter.toISOString()).toBe("2026-11-01T12:10:00.000Z");
    expect(group.notAfterLimit()?.toISOString()).toBe("2026-11-01T12:10:00.900Z");
  });

  it("does not ask a member that has expired", async () => {
    const { group, issue, signerOf, primary, standby } = await setUp();
    primary.setNotAfterLimit(new Date("2026-11-01T12:00:00Z"));
    expect(signerOf(await issue())).toBe("standby");
    expect(primary.requests).toEqual([]);
    standby.setNotAfterLimit(undefined);
    await expect(issue()).rejects.toMatchObject({ code: "ca-not-ready" });
    expect(group.active()).toBe("standby");
  });

  it("passes on what the members publish of revocation and health", async () => {
    const primary = await fakeSigningCa({ name: "vault", keyIsLocal: false });
    const health = createSource({ state: "degraded", reason: "slow" } as const);
    const { group } = await setUp({ primary: { ...primary, health, revocationLists: createSource("A\n") } });
    expect(group.health.current()).toEqual({ state: "degraded", reason: "slow" });
    expect(group.revocationLists?.current()).toBe("A\n");
    const bare = await failoverFixture();
    expect(bare.group.revocationLists?.current()).toBeUndefined();
    await bare.stop();
  });

  it.each([{ intervalMs: 0 }, { failuresToSwitch: 0 }, { successesToReturn: Number.NaN }, { settleMs: -1 }])(
    "refuses %o",
    async (options) => {
      await expect(failoverFixture(options)).rejects.toMatchObject({ code: "argument-invalid" });
    },
  );
});
