import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { createAdmission } from "./admission.ts";
import { issueSvid } from "./issue-svid.ts";
import { fakeSigningCa, recordingEvents } from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const csrPem = createCsr({ key: await generateKeyPair("P-256"), spiffeId });
const request = { csrPem, requestedSeconds: 3600n, caller: { spiffeId, source: "token" } } as const;
const limits = { defaultTtlMs: 86_400_000, maxTtlMs: 7_776_000_000 };
const never = new AbortController().signal;

/** A CA that signs one at a time, each when the test says so. */
async function setUp(maxQueued: number) {
  const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
  const signingCa = await fakeSigningCa();
  const gates: (() => void)[] = [];
  const slow = {
    ...signingCa,
    async sign(...args: Parameters<typeof signingCa.sign>) {
      await new Promise<void>((resolve) => gates.push(resolve));
      return await signingCa.sign(...args);
    },
  };
  const events = recordingEvents();
  const admission = createAdmission({ maxConcurrent: 1, maxQueued });
  return {
    clock,
    gates,
    events,
    signingCa,
    admission,
    dependencies: { signingCa: slow, limits, clock, events, admission },
  };
}

describe("issueSvid with an admission", () => {
  it("turns away who finds no room, and tells of it", async () => {
    const { dependencies, events, gates, signingCa } = await setUp(0);
    const first = issueSvid(request, dependencies, never);
    await expect(issueSvid(request, dependencies, never)).rejects.toMatchObject({ code: "overloaded" });
    expect(events.all).toMatchObject([{ kind: "refused", code: "overloaded" }]);
    gates.shift()?.();
    await first;
    expect(signingCa.requests).toHaveLength(1);
  });

  it("refuses a bad CSR though there is no room", async () => {
    const { dependencies, gates } = await setUp(0);
    const first = issueSvid(request, dependencies, never);
    const bad = issueSvid({ ...request, csrPem: "no CSR" }, dependencies, never);
    await expect(bad).rejects.toMatchObject({ code: "csr-malformed" });
    gates.shift()?.();
    await first;
  });

  it("takes nothing off the lifetime of who had to wait", async () => {
    const { dependencies, gates, clock } = await setUp(1);
    const first = issueSvid(request, dependencies, never);
    const second = issueSvid(request, dependencies, never);
    clock.jump(20_000);
    gates.shift()?.();
    await first;
    gates.shift()?.();
    const { chain } = await second;
    expect(chain[0].notBefore.toISOString()).toBe("2026-11-01T11:58:20.000Z");
    expect(chain[0].notAfter.toISOString()).toBe("2026-11-01T13:00:20.000Z");
  });

  it("has nothing signed for a client that went away while it waited", async () => {
    const { dependencies, gates, signingCa, events } = await setUp(1);
    const first = issueSvid(request, dependencies, never);
    const controller = new AbortController();
    const second = issueSvid(request, dependencies, controller.signal);
    const reason = new Error("client went away");
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    gates.shift()?.();
    await first;
    expect(signingCa.requests).toHaveLength(1);
    expect(events.all).toMatchObject([{ kind: "issued" }]);
  });
});
