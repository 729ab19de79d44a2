import { FakeClock } from "@signet/runtime/testing";
import { type TestCa, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { VaultError } from "./errors.ts";
import type { HealthProblem } from "./health-board.ts";
import { createMountFollower } from "./mount-follower.ts";
import type { IssuerRecord, RoleRecord } from "./mount-records.ts";
import { recordingVaultEvents } from "./testing/recording-vault-events.ts";

const role: RoleRecord = { issuer: "default", maxTtlMs: undefined, notAfter: undefined, usesCsrNames: false };
const sealed = new VaultError("sealed", "Vault is sealed");
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function recordOf({ certificate }: TestCa): IssuerRecord {
  return { id: "id", certificate, chain: [certificate], revoked: false, signs: true };
}

async function start(options: { readonly pinned?: boolean } = {}) {
  const clock = new FakeClock();
  const root = await testRoot();
  const moods: { failure: VaultError | undefined; root: TestCa; pinned: VaultError | TestCa } = {
    ...{ failure: undefined, root, pinned: root },
  };
  const events = recordingVaultEvents();
  const health: (HealthProblem | undefined)[] = [];
  let looks = 0;
  const reader = {
    async role() {
      looks += 1;
      if (moods.failure !== undefined) throw moods.failure;
      return role;
    },
    issuer: async () => recordOf(moods.root),
    issuerIds: async () => ["id"],
  };
  async function readPinned() {
    if (moods.pinned instanceof VaultError) throw moods.pinned;
    return moods.pinned.trustBundle;
  }
  const follower = createMountFollower({
    question: {
      ...{ reader, role: "signet", servingRole: "signet", issuer: undefined },
      readPinned: options.pinned === true ? readPinned : undefined,
    },
    beforeLook: async () => undefined,
    report: (problem) => void health.push(problem),
    ...{ refreshMs: 60_000, clock, random: () => 0.5, events },
  });
  const stopping = new AbortController();
  const running = follower.task.run(stopping.signal).catch((error: unknown) => error);
  stops.push(async () => {
    stopping.abort();
    await running;
  });
  await clock.advance(0);
  return { clock, moods, events, follower, problem: () => health.at(-1), looks: () => looks };
}

describe("createMountFollower", () => {
  it("looks again at each refresh, and publishes a bundle only when it is another one", async () => {
    const { clock, moods, events, follower, looks } = await start();
    const before = follower.trustBundle.current();
    await clock.advance(180_000);
    expect([looks(), follower.trustBundle.current()]).toEqual([4, before]);
    moods.root = await testRoot({ trustDomain: "another" });
    await clock.advance(60_000);
    expect(follower.trustBundle.current()?.authorities).toEqual([moods.root.certificate]);
    const kinds = events.all.map(({ kind }) => kind);
    expect(kinds).toEqual(["issuerChanged", "trustBundleChanged", "issuerChanged", "trustBundleChanged"]);
  });

  it("looks soon when it is told to, and not all the time", async () => {
    const { clock, follower, looks } = await start();
    for (let second = 0; second < 20; second += 1) {
      follower.lookSoon();
      await clock.advance(1000);
    }
    expect(looks()).toBeGreaterThan(5);
    expect(looks()).toBeLessThanOrEqual(11);
  });

  it("keeps what it knows while Vault is away, says so once, and that it is stale after a while", async () => {
    const { clock, moods, events, follower, problem } = await start();
    moods.failure = sealed;
    await clock.advance(170_000);
    expect([problem(), follower.facts() === undefined]).toEqual([undefined, false]);
    await clock.advance(60_000);
    expect(problem()).toEqual({ state: "degraded", reason: "issuers-stale" });
    expect(events.all.filter(({ kind }) => kind === "refreshFailed")).toHaveLength(1);
    moods.failure = undefined;
    await clock.advance(60_000);
    expect(problem()).toBeUndefined();
    moods.failure = sealed;
    await clock.advance(60_000);
    expect(events.all.filter(({ kind }) => kind === "refreshFailed")).toHaveLength(2);
  });

  it("says at once what will not go away by itself", async () => {
    const { clock, moods, problem } = await start();
    moods.failure = new VaultError("not-found", "no such role");
    await clock.advance(70_000);
    expect(problem()).toEqual({ state: "degraded", reason: "role-missing" });
  });

  it("asks again when Vault wants to be asked again", async () => {
    const { clock, moods, looks } = await start();
    moods.failure = new VaultError("rate-limited", "quota", { retryAfterMs: 30_000 });
    await clock.advance(60_000);
    const before = looks();
    await clock.advance(29_000);
    expect(looks()).toBe(before);
    await clock.advance(2_000);
    expect(looks()).toBe(before + 1);
  });

  it("follows the file of the pinned roots, and keeps the last one that could be used", async () => {
    const { clock, moods, follower, problem } = await start({ pinned: true });
    const first = follower.trustBundle.current();
    moods.pinned = new VaultError("config-invalid", "roots.pem cannot be used");
    await clock.advance(70_000);
    expect([problem(), follower.trustBundle.current()]).toEqual([
      { state: "degraded", reason: "pinned-root-unusable" },
      first,
    ]);
    moods.root = await testRoot({ trustDomain: "another" });
    moods.pinned = moods.root;
    await clock.advance(70_000);
    expect([problem(), follower.trustBundle.current()]).toEqual([undefined, moods.root.trustBundle]);
  });

  it("refuses to sign while the issuer does not lead to the pinned roots", async () => {
    const { clock, moods, follower, problem } = await start({ pinned: true });
    moods.root = await testRoot({ trustDomain: "another" });
    await clock.advance(70_000);
    expect(follower.refusal()).toMatchObject({ reason: "issuer-untrusted" });
    expect(problem()).toEqual({ state: "failing", reason: "issuer-untrusted" });
  });
});
