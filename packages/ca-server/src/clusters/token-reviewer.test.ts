import { testIssuer } from "@signet/jwt/testing";
import { KubernetesError, type TokenReviewStatus } from "@signet/kubernetes";
import { FakeClock } from "@signet/runtime/testing";
import { beforeEach, describe, expect, it } from "vitest";
import type { TokenChecker } from "./token-checker.ts";
import { createTokenReviewer } from "./token-reviewer.ts";

const never = new AbortController().signal;
const peer = "10.0.0.1:4000";
const user = {
  username: "system:serviceaccount:demo:frontend",
  uid: "u1",
  groups: ["system:serviceaccounts", "system:serviceaccounts:demo", "system:authenticated"],
  extra: new Map([
    ["authentication.kubernetes.io/pod-name", ["frontend-1"]],
    ["authentication.kubernetes.io/pod-uid", ["p1"]],
    ["authentication.kubernetes.io/node-name", ["node-1"]],
  ]),
};
const good: TokenReviewStatus = { authenticated: true, audiences: ["istio-ca"], user };
const known = {
  kind: "known",
  holder: {
    ...{ namespace: "demo", serviceAccount: "frontend" },
    ...{ podName: "frontend-1", podUid: "p1", nodeName: "node-1" },
  },
};

let clock: FakeClock;
let asked: { token: string; audiences: readonly string[]; signal: AbortSignal }[];
let answer: (signal: AbortSignal) => Promise<TokenReviewStatus>;
let reviewer: TokenChecker;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  answer = async () => good;
  reviewer = review(10_000);
});

function review(cacheTtlMs: number, audiences = ["istio-ca", "mesh"]): TokenChecker {
  const api = {
    reviewToken(request: { token: string; audiences: readonly string[] }, signal: AbortSignal) {
      asked.push({ ...request, signal });
      return answer(signal);
    },
  };
  return createTokenReviewer({ api, audiences, cacheTtlMs }, clock);
}

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

describe("the answer of a TokenReview", () => {
  it("names the account, and the pod that the token is bound to", async () => {
    expect(await reviewer.check("a.b.c", peer, never)).toEqual(known);
    expect(asked).toMatchObject([{ token: "a.b.c", audiences: ["istio-ca", "mesh"] }]);
  });

  it("may name no pod", async () => {
    answer = async () => ({
      ...good,
      user: { ...user, extra: new Map([["authentication.kubernetes.io/pod-uid", [""]]]) },
    });
    expect(await reviewer.check("a.b.c", peer, never)).toEqual({
      kind: "known",
      holder: { namespace: "demo", serviceAccount: "frontend" },
    });
  });

  it.each<[string, Partial<TokenReviewStatus>, string]>([
    ["says no", { authenticated: false }, "token-refused"],
    ["says no and why", { authenticated: false, error: "token has expired" }, "token-refused"],
    ["says yes beside an error", { error: "webhook failed" }, "token-refused"],
    ["names no audience", { audiences: [] }, "audience-mismatch"],
    ["names an audience that nobody asked for", { audiences: ["vault"] }, "audience-mismatch"],
    ["is about nobody", { user: { ...user, username: "" } }, "subject-not-service-account"],
    ["is about a person", { user: { ...user, username: "alice" } }, "subject-not-service-account"],
    [
      "is about a person with the name of an account",
      { user: { ...user, groups: ["system:authenticated", "system:serviceaccounts:demo"] } },
      "subject-not-service-account",
    ],
    [
      "is about an account with a strange name",
      { user: { ...user, username: "system:serviceaccount:demo:a/b" } },
      "subject-not-service-account",
    ],
  ])("that %s is a refusal", async (_, status, reason) => {
    answer = async () => ({ ...good, ...status });
    expect(await reviewer.check("a.b.c", peer, never)).toMatchObject({ kind: "rejected", reason });
  });

  it("without a user is a refusal", async () => {
    answer = async () => ({ authenticated: true, audiences: ["istio-ca"] });
    expect(await reviewer.check("a.b.c", peer, never)).toMatchObject({ kind: "rejected" });
  });

  it.each<[string, KubernetesError]>([
    ["is away", new KubernetesError("unavailable", "connection refused")],
    ["is overloaded", new KubernetesError("too-many-requests", "429", { status: 429 })],
    ["does not let us ask", new KubernetesError("forbidden", "403", { status: 403 })],
    ["answers garbage", new KubernetesError("response-malformed", "no JSON")],
  ])("is none when the API server %s, and the next one counts", async (_, error) => {
    answer = async () => {
      throw error;
    };
    expect(await reviewer.check("a.b.c", peer, never)).toEqual({
      kind: "unavailable",
      reason: "api-server-unavailable",
      cause: error,
    });
    answer = async () => good;
    expect(await reviewer.check("a.b.c", peer, never)).toEqual(known);
  });

  it("is not waited for longer than five seconds", async () => {
    answer = hang;
    const checked = reviewer.check("a.b.c", peer, never);
    await clock.advance(5_000);
    expect(await checked).toMatchObject({ kind: "unavailable", reason: "api-server-unavailable" });
    expect(asked[0]?.signal.aborted).toBe(true);
  });
});

describe("asking the API server", () => {
  it("is done once for all who show one token at one time", async () => {
    const gate = Promise.withResolvers<TokenReviewStatus>();
    answer = () => gate.promise;
    const checks = [1, 2, 3].map(() => reviewer.check("a.b.c", peer, never));
    const other = reviewer.check("a.b.d", peer, never);
    gate.resolve(good);
    expect(await Promise.all(checks)).toEqual([known, known, known]);
    await other;
    expect(asked.map(({ token }) => token)).toEqual(["a.b.c", "a.b.d"]);
  });

  it("goes on when the first of them hangs up, and ends with the last", async () => {
    const gate = Promise.withResolvers<TokenReviewStatus>();
    answer = (signal) => Promise.race([gate.promise, hang(signal)]);
    const [first, second] = [new AbortController(), new AbortController()];
    const checks = [reviewer.check("a.b.c", peer, first.signal), reviewer.check("a.b.c", peer, second.signal)];
    first.abort(new Error("hung up"));
    await expect(checks[0]).rejects.toThrow("hung up");
    expect(asked[0]?.signal.aborted).toBe(false);
    second.abort(new Error("hung up too"));
    await expect(checks[1]).rejects.toThrow("hung up too");
    expect(asked[0]?.signal.aborted).toBe(true);
    gate.resolve(good);
    expect(await reviewer.check("a.b.c", peer, never)).toEqual(known);
    expect(asked).toHaveLength(2);
  });

  it("is spared for ten seconds after a yes, and for one after a no", async () => {
    await reviewer.check("a.b.c", peer, never);
    await clock.advance(9_999);
    await reviewer.check("a.b.c", peer, never);
    expect(asked).toHaveLength(1);
    answer = async () => ({ ...good, authenticated: false });
    await clock.advance(1);
    expect((await reviewer.check("a.b.c", peer, never)).kind).toBe("rejected");
    await clock.advance(999);
    await reviewer.check("a.b.c", peer, never);
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    answer = async () => good;
    expect(await reviewer.check("a.b.c", peer, never)).toEqual(known);
  });

  it("is not spared beyond the token's own expiry, nor by a clock set back", async () => {
    const issuer = testIssuer({ issuer: "https://kubernetes.default.svc", clock });
    const token = issuer.sign({ exp: clock.now().getTime() / 1000 + 4 });
    await reviewer.check(token, peer, never);
    await clock.advance(3_999);
    await reviewer.check(token, peer, never);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await reviewer.check(token, peer, never);
    expect(asked).toHaveLength(2);

    await reviewer.check("a.b.c", peer, never);
    clock.jump(-3_600_000);
    await reviewer.check("a.b.c", peer, never);
    expect(asked).toHaveLength(4);
  });

  it("is never spared without a cache", async () => {
    const each = review(0);
    await each.check("a.b.c", peer, never);
    await each.check("a.b.c", peer, never);
    answer = async () => ({ ...good, authenticated: false });
    await each.check("a.b.c", peer, never);
    await each.check("a.b.c", peer, never);
    expect(asked).toHaveLength(4);
  });

  it("is bounded: so many at a time, so many waiting, and no more", async () => {
    const gate = Promise.withResolvers<TokenReviewStatus>();
    answer = () => gate.promise;
    const checks = Array.from({ length: 128 + 1_024 }, (_, index) => reviewer.check(`a.b.${index}`, peer, never));
    expect(asked).toHaveLength(128);
    expect(await reviewer.check("one.too.many", peer, never)).toMatchObject({
      kind: "unavailable",
      reason: "overloaded",
    });
    gate.resolve(good);
    expect((await Promise.all(checks)).every(({ kind }) => kind === "known")).toBe(true);
    expect(asked).toHaveLength(128 + 1_024);
  });

  it("gives up on those that wait when their time is over", async () => {
    answer = hang;
    const checks = Array.from({ length: 130 }, (_, index) => reviewer.check(`a.b.${index}`, peer, never));
    await clock.advance(5_000);
    expect((await Promise.all(checks)).every(({ kind }) => kind === "unavailable")).toBe(true);
    answer = async () => good;
    expect(await reviewer.check("a.b.c", peer, never)).toEqual(known);
  });

  it.each([
    ["", "token-malformed"],
    ["a b", "token-malformed"],
    ["a.b.c\n", "token-malformed"],
    ["a.b.\u00f6", "token-malformed"],
    ["a=b", "token-malformed"],
    ["a".repeat(16_385), "token-too-large"],
  ])("is not done about what is no token", async (token, reason) => {
    expect(await reviewer.check(token, peer, never)).toMatchObject({ kind: "rejected", reason });
    expect(asked).toEqual([]);
  });
});

describe("made-up tokens", () => {
  it("drive out nothing that the API server has said of good ones", async () => {
    await reviewer.check("good.good.good", peer, never);
    answer = async () => ({ authenticated: false, audiences: [] });
    for (let i = 0; i < 10_001; i++) await reviewer.check(`made.up.${i}`, peer, never);
    asked = [];
    expect(await reviewer.check("good.good.good", peer, never)).toEqual(known);
    expect(asked).toEqual([]);
  });

  it("of one host, whatever its ports, keep out no other", async () => {
    const gate = Promise.withResolvers<TokenReviewStatus>();
    answer = () => gate.promise;
    const floods = Array.from({ length: 128 + 1_024 + 10 }, (_, index) =>
      reviewer.check(`made.up.${index}`, `10.6.6.6:${index}`, never),
    );
    const honest = ["10.0.0.1:4000", "10.0.0.1:4001", "[fd00::1]:4000", "[fd00::2]:4000"].map((address, index) =>
      reviewer.check(`good.good.${index}`, address, never),
    );
    // Those who were there first lose their places to them.
    expect(await floods[128 + 1_024 - 1]).toMatchObject({ kind: "unavailable", reason: "overloaded" });
    gate.resolve(good);
    for (const verdict of await Promise.all(honest)) expect(verdict).toEqual(known);
    // Right after those under way, and before the thousand that came earlier.
    expect(asked.slice(128, 132).map(({ token }) => token.split(".")[0])).toEqual(["good", "good", "good", "good"]);
    const verdicts = await Promise.all(floods);
    expect(verdicts.filter(({ kind }) => kind === "unavailable")).toHaveLength(10 + honest.length);
  });
});
