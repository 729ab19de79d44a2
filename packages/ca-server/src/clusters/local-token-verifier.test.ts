import type { JwtClaims } from "@signet/jwt";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { KubernetesError } from "@signet/kubernetes";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLocalTokenVerifier } from "./local-token-verifier.ts";
import type { TokenVerdict } from "./token-checker.ts";

const never = new AbortController().signal;
const server = "https://10.96.0.1:443";
const bound = {
  namespace: "demo",
  serviceaccount: { name: "frontend", uid: "s1" },
  pod: { name: "frontend-1", uid: "p1" },
  node: { name: "node-1", uid: "n1" },
};
const claims = { "kubernetes.io": bound };

let clock: FakeClock;
let issuer: TestIssuer;
let paths: string[];
let failure: Error | undefined;
let failures: string[];
let stop: AbortController;
let running: Promise<void>;
let check: (token: string) => Promise<TokenVerdict>;

beforeEach(() => {
  clock = new FakeClock();
  issuer = testIssuer({ issuer: "https://kubernetes.default.svc", alg: "RS256", clock });
  paths = [];
  failures = [];
  failure = undefined;
  stop = new AbortController();
  running = Promise.resolve();
});

async function start(): Promise<void> {
  const api = {
    server,
    async getJson(path: string): Promise<unknown> {
      paths.push(path);
      if (failure !== undefined) throw failure;
      return path.startsWith("/.well-known/") ? { issuer: issuer.issuer, jwks_uri: "x:" } : JSON.parse(issuer.jwks);
    },
  };
  const verifier = createLocalTokenVerifier(
    { api, audiences: ["istio-ca"] },
    {
      clock,
      random: () => 0.5,
      events: { fetched: () => {}, fetchFailed: (event) => void failures.push(event.issuer) },
    },
  );
  check = (token) => verifier.check(token, "10.0.0.1:4000", never);
  running = verifier.task.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  await clock.untilSleepers(1);
}

afterEach(async () => {
  stop.abort();
  await running;
});

describe("the local token verifier", () => {
  it("knows account, pod and node from the token, and asks the API server for keys only", async () => {
    await start();
    const holder = {
      ...{ namespace: "demo", serviceAccount: "frontend" },
      ...{ podName: "frontend-1", podUid: "p1", nodeName: "node-1" },
    };
    for (let call = 0; call < 3; call += 1) {
      expect(await check(issuer.sign(claims))).toEqual({ kind: "known", holder });
    }
    expect(paths).toEqual(["/.well-known/openid-configuration", "/openid/v1/jwks"]);
  });

  it("knows a token that is bound to no pod, as that of no pod", async () => {
    await start();
    const { pod: _, node: __, ...unbound } = bound;
    expect(await check(issuer.sign({ "kubernetes.io": unbound }))).toEqual({
      kind: "known",
      holder: { namespace: "demo", serviceAccount: "frontend" },
    });
  });

  it("knows a node of which the API server knew the name only", async () => {
    await start();
    const verdict = await check(issuer.sign({ "kubernetes.io": { ...bound, node: { name: "node-1" } } }));
    expect(verdict).toMatchObject({ kind: "known", holder: { nodeName: "node-1" } });
  });

  it.each<[string, JwtClaims, string]>([
    ["without claims of Kubernetes", {}, "pod-claims-missing"],
    ["whose claims of Kubernetes are a list", { "kubernetes.io": [bound] }, "pod-claims-missing"],
    ["of another namespace", { "kubernetes.io": { ...bound, namespace: "other" } }, "pod-claims-missing"],
    [
      "of another account",
      { "kubernetes.io": { ...bound, serviceaccount: { name: "x", uid: "s1" } } },
      "pod-claims-missing",
    ],
    [
      "of an account without UID",
      { "kubernetes.io": { ...bound, serviceaccount: { name: "frontend" } } },
      "pod-claims-missing",
    ],
    ["of a pod without UID", { "kubernetes.io": { ...bound, pod: { name: "frontend-1" } } }, "pod-claims-missing"],
    ["of a node without name", { "kubernetes.io": { ...bound, node: { uid: "n1" } } }, "pod-claims-missing"],
    ["of a person", { ...claims, sub: "alice" }, "pod-claims-missing"],
    ["of another audience", { ...claims, aud: ["vault"] }, "audience-mismatch"],
    ["of another issuer", { ...claims, iss: "https://evil.example" }, "issuer-unknown"],
    ["without expiry", { ...claims, exp: undefined }, "expiry-missing"],
  ])("rejects a token %s", async (_, changed, reason) => {
    await start();
    expect(await check(issuer.sign(changed))).toMatchObject({ kind: "rejected", reason });
  });

  it("gives an expired token no leeway", async () => {
    await start();
    const token = issuer.sign({ ...claims, exp: clock.now().getTime() / 1000 + 10 });
    expect((await check(token)).kind).toBe("known");
    await clock.advance(10_000);
    expect(await check(token)).toMatchObject({ kind: "rejected", reason: "token-expired" });
  });

  it("rejects another's signature and what is no token", async () => {
    await start();
    const forger = testIssuer({ issuer: issuer.issuer, alg: "RS256", kid: "test2", clock });
    expect((await check(forger.sign(claims))).kind).toBe("rejected");
    expect(await check("a b")).toMatchObject({ kind: "rejected", reason: "token-malformed" });
  });

  it("goes on without the API server once it has the keys", async () => {
    await start();
    expect((await check(issuer.sign(claims))).kind).toBe("known");
    failure = new KubernetesError("unavailable", "connection refused");
    await clock.advance(3_600_000);
    expect((await check(issuer.sign(claims))).kind).toBe("known");
    await clock.advance(24 * 3_600_000);
    expect(await check(issuer.sign(claims))).toMatchObject({ kind: "unavailable", reason: "keys-unavailable" });
  });

  it("takes up another issuer of an API server that was started anew", async () => {
    await start();
    const before = issuer;
    issuer = testIssuer({ issuer: "https://new.example", clock });
    await clock.advance(10 * 60_000 + 15_000);
    expect((await check(issuer.sign(claims))).kind).toBe("known");
    expect((await check(before.sign(claims))).kind).toBe("rejected");
  });
});

describe("the local token verifier of an API server that is away at the start", () => {
  it("cannot tell, and recovers by itself within seconds", async () => {
    failure = new KubernetesError("unavailable", "connection refused");
    await start();
    expect(await check(issuer.sign(claims))).toMatchObject({ kind: "unavailable", reason: "keys-unavailable" });
    await clock.advance(60_000);
    expect(failures).toContain(server);
    failure = undefined;
    await clock.advance(10_000);
    expect((await check(issuer.sign(claims))).kind).toBe("known");
  });
});
