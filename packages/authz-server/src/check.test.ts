import { type AuthorizationResult, type Authorizer, parseAttributeContext } from "@signet/authorizer";
import { parseWorkload } from "@signet/documents";
import { FakeClock } from "@signet/runtime/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { type CheckOptions, createCheck } from "./check.ts";
import type { FoundWorkload } from "./find-workload.ts";

const allowed: AuthorizationResult = {
  effect: "allow",
  reason: "no-policy",
  audit: [],
  shadow: {},
  upstream: { remove: [], add: [] },
  downstream: [],
};
const request = parseAttributeContext({ request: { http: { method: "GET", path: "/" } } });
const never = new AbortController().signal;

let clock: FakeClock;
let events: string[];
let found: FoundWorkload;
beforeEach(() => {
  clock = new FakeClock();
  events = [];
  found = { kind: "found", workload: parseWorkload("foo") };
});

function create(authorize: Authorizer["authorize"], options: Partial<CheckOptions> = {}) {
  return createCheck(
    { deadlineMs: 1_000, maxConcurrentChecks: 2, onFailure: "deny", ...options },
    {
      authorizer: { authorize },
      findWorkload: () => found,
      clock,
      events: {
        decided: ({ result }) => events.push(`decided ${result.effect}`),
        failed: ({ cause, onFailure }) => events.push(`failed ${cause} ${onFailure}`),
        workloadUnknown: ({ why }) => events.push(`unknown ${why}`),
      },
    },
  );
}

describe("a check", () => {
  test("is what the authorizer says, at once or later", async () => {
    expect(await create(() => allowed).check(request, never)).toEqual({ kind: "decided", result: allowed });
    expect(await create(async () => allowed).check(request, never)).toEqual({ kind: "decided", result: allowed });
    expect(events).toEqual(["decided allow", "decided allow"]);
  });

  test("of a workload that nobody knows asks nobody", async () => {
    found = { kind: "unknown", why: "x" };
    const { check } = create(() => {
      throw new Error("asked");
    });
    expect(await check(request, never)).toEqual({ kind: "workload-unknown" });
    expect(events).toEqual(["unknown x"]);
  });

  test.each(["deny", "error", "allow"] as const)("past the deadline becomes what is wanted: %s", async (onFailure) => {
    let reason: unknown;
    const { check, waiting } = create(
      (_request, _workload, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
      { onFailure },
    );
    const pending = check(request, never);
    await clock.untilSleepers();
    expect(waiting()).toBe(1);
    await clock.advance(1_000);
    expect(await pending).toEqual({ kind: "failed", onFailure });
    expect(reason).toMatchObject({ code: "deadline-exceeded" });
    expect(events).toEqual([`failed deadline ${onFailure}`]);
    expect(waiting()).toBe(0);
  });

  test("beyond the limit becomes what is wanted, and those that wait go on", async () => {
    const { promise, resolve } = Promise.withResolvers<AuthorizationResult>();
    const { check, waiting } = create(() => promise);
    const pending = [check(request, never), check(request, never)];
    await clock.untilSleepers(2);
    expect(await check(request, never)).toEqual({ kind: "failed", onFailure: "deny" });
    resolve(allowed);
    expect(await Promise.all(pending)).toEqual([
      { kind: "decided", result: allowed },
      { kind: "decided", result: allowed },
    ]);
    expect(waiting()).toBe(0);
    expect(events[0]).toBe("failed overload deny");
  });

  test.each([
    ["deny", "deny"],
    ["error", "error"],
    ["allow", "deny"],
  ] as const)("that fails by a fault of ours never lets through: %s becomes %s", async (onFailure, expected) => {
    for (const authorize of [
      () => {
        throw new TypeError("a fault");
      },
      async () => {
        throw new TypeError("a fault");
      },
    ]) {
      expect(await create(authorize, { onFailure }).check(request, never)).toEqual({
        kind: "failed",
        onFailure: expected,
      });
    }
  });

  test("ends with its caller", async () => {
    const caller = new AbortController();
    const { check, waiting } = create(
      (_request, _workload, signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const pending = check(request, caller.signal);
    await clock.untilSleepers();
    caller.abort(new Error("gone"));
    await expect(pending).rejects.toThrow("gone");
    expect(waiting()).toBe(0);
    expect(events).toEqual([]);
  });
});
