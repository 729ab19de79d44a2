import { createCanary, type SigningCaHealth } from "@signet/ca";
import { type FakeSigningCa, fakeSigningCa } from "@signet/ca/testing";
import { createServingState, createSource, type ServingState } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { beforeEach, describe, expect, it } from "vitest";
import { createReadiness, createReadyRoute, type Readiness } from "./readiness.ts";

const canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });
const probe = "canary" as const;
const request = {
  method: "GET",
  path: "/ready",
  query: new URLSearchParams(),
  remoteAddress: "192.0.2.1",
  signal: new AbortController().signal,
};

let clock: FakeClock;
let state: ServingState;
let signingCa: FakeSigningCa;
let servingNotAfter: Date | undefined;
let readiness: Readiness;

beforeEach(async () => {
  clock = new FakeClock();
  state = createServingState();
  state.set("serving");
  signingCa = await fakeSigningCa();
  servingNotAfter = new Date(clock.now().getTime() + 3_600_000);
  const options = { state, signingCa, canary, clock, probe, servingNotAfter: () => servingNotAfter };
  readiness = createReadiness(options, new AbortController().signal);
});

describe("readiness", () => {
  it("is a canary that was signed", async () => {
    expect(await readiness.problems()).toEqual([]);
    expect(signingCa.requests).toHaveLength(1);
  });

  it("signs one canary for all who ask within three seconds", async () => {
    await Promise.all([readiness.problems(), readiness.problems(), readiness.problems()]);
    await clock.advance(2_999);
    await readiness.problems();
    expect(signingCa.requests).toHaveLength(1);
    await clock.advance(1);
    await readiness.problems();
    expect(signingCa.requests).toHaveLength(2);
  });

  it("does not trust an answer from the future", async () => {
    await readiness.problems();
    clock.jump(-3_600_000);
    await readiness.problems();
    expect(signingCa.requests).toHaveLength(2);
  });

  it("ends when signing fails, and comes back with it", async () => {
    signingCa.failWith(new Error("the HSM at 10.0.0.7 says no"));
    expect(await readiness.problems()).toEqual([{ check: "canary", reason: "signing-failed" }]);
    signingCa.failWith(undefined);
    await clock.advance(3_000);
    expect(await readiness.problems()).toEqual([]);
  });

  it("ends when the CA has expired or is not there yet", async () => {
    signingCa.setNotAfterLimit(clock.now());
    expect(await readiness.problems()).toEqual([{ check: "canary", reason: "ca-expired" }]);
    signingCa.setNotAfterLimit(undefined);
    await clock.advance(3_000);
    expect(await readiness.problems()).toEqual([{ check: "canary", reason: "ca-not-ready" }]);
  });

  it("ends when the server's own certificate has expired", async () => {
    servingNotAfter = clock.now();
    expect(await readiness.problems()).toMatchObject([{ check: "serving-certificate" }]);
  });

  it("does not begin before there is a certificate of the server's own", async () => {
    servingNotAfter = undefined;
    expect(await readiness.problems()).toMatchObject([{ check: "serving-certificate" }]);
  });

  it("is not ended by a signing CA that still signs, but its state is told", async () => {
    const health = createSource<SigningCaHealth>({ state: "good" });
    const options = {
      state,
      probe,
      signingCa: { ...signingCa, health },
      canary,
      clock,
      servingNotAfter: () => servingNotAfter,
    };
    readiness = createReadiness(options, new AbortController().signal);
    expect(readiness.warnings()).toEqual([]);
    health.publish({ state: "degraded", reason: "standby-signs" });
    const { status, body } = await createReadyRoute(readiness)(request);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      ...{ ready: true, problems: [] },
      warnings: [{ check: "signing-ca", reason: "standby-signs" }],
    });
  });

  it("does not wait for a signing CA that hangs", async () => {
    const hanging = { ...signingCa, sign: () => new Promise<never>(() => {}) };
    const options = { state, signingCa: hanging, canary, clock, probe, servingNotAfter: () => servingNotAfter };
    const asked = createReadiness(options, new AbortController().signal).problems();
    await clock.untilSleepers(1);
    await clock.advance(4_000);
    expect(await asked).toMatchObject([{ check: "canary" }]);
  });

  it("is not asked of the CA while the server starts or drains", async () => {
    state.set("draining");
    expect(await readiness.problems()).toEqual([{ check: "phase", reason: "draining" }]);
    expect(signingCa.requests).toHaveLength(0);
  });

  it("costs no signature where the CA says itself how it does", async () => {
    const health = createSource<SigningCaHealth>({ state: "degraded", reason: "standby-signs" });
    const served = { ...signingCa, health };
    const options = { state, signingCa: served, canary, clock, servingNotAfter: () => servingNotAfter };
    readiness = createReadiness({ ...options, probe: "health" }, new AbortController().signal);
    expect(await readiness.problems()).toEqual([]);
    health.publish({ state: "failing", reason: "nobody-signs" });
    await clock.advance(3_000);
    expect(await readiness.problems()).toEqual([{ check: "signing-ca", reason: "nobody-signs" }]);
    expect(signingCa.requests).toEqual([]);
  });

  it("is what /ready answers", async () => {
    const route = createReadyRoute(readiness);
    expect(await route(request)).toMatchObject({ status: 200 });
    state.set("draining");
    const { status, body } = await route(request);
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({ ready: false, problems: [{ check: "phase", reason: "draining" }] });
  });
});
