import { createServingState, createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { notAfterOf, type WorkloadIdentity } from "../identity/workload-identity.ts";
import { createAgentMetrics } from "../metrics.ts";
import { type StatusOptions, statusRoutes } from "./status-routes.ts";

let clock: FakeClock;
let quits: string[];

beforeEach(() => {
  clock = new FakeClock(new Date("2026-03-01T12:00:00Z"));
  quits = [];
});

async function identityUntil(notAfter: Date): Promise<WorkloadIdentity> {
  const root = await testRoot();
  const trustBundles = new Map([[parseTrustDomain("cluster.local"), root.trustBundle]]);
  return { svid: await testLeaf(root, { notAfter }), trustBundles, receivedAt: clock.now() };
}

function start(failure?: Error) {
  const identity = createSource<WorkloadIdentity>();
  const state = createServingState();
  const secondsLeft = (): number | undefined => {
    const current = identity.current();
    return current === undefined ? undefined : (notAfterOf(current).getTime() - clock.now().getTime()) / 1000;
  };
  const options: StatusOptions = {
    identity,
    isStale: () => false,
    lastFailure: () => failure,
    streams: () => [],
    socketPath: "/run/sds",
    caAddresses: ["ca:15012"],
    quit: () => void quits.push("quit"),
    socketProblem: async () => undefined,
    state,
    metrics: createAgentMetrics({ secondsToExpiry: secondsLeft, isStale: () => false }),
    clock,
  };
  return { identity, state, options };
}

async function get(
  options: StatusOptions,
  path: string,
  remoteAddress = "127.0.0.1",
): Promise<{ readonly status: number; readonly body: string }> {
  const request = { method: "GET", path, query: new URLSearchParams(), remoteAddress };
  const route = statusRoutes(options)[path];
  if (route === undefined) throw new Error(`no route ${path}`);
  const answer = typeof route === "function" ? route : route.answer;
  return await answer({ ...request, signal: new AbortController().signal });
}

const inAnHour = new Date("2026-03-01T13:00:00Z");

describe("/healthz/ready", () => {
  it("is ready with a valid SVID and the SDS socket, until it expires", async () => {
    const { identity, state, options } = start();
    state.set("serving");
    identity.publish(await identityUntil(inAnHour));
    expect(await get(options, "/healthz/ready")).toEqual({ status: 200, body: "" });
    clock.jump(3_600_000);
    const answer = await get(options, "/healthz/ready");
    expect(answer).toEqual({ status: 503, body: "svid: expired at 2026-03-01T13:00:00.000Z\n" });
  });

  it("says why there is no SVID", async () => {
    const { state, options } = start(new Error("connection refused"));
    state.set("serving");
    const answer = await get(options, "/healthz/ready");
    expect(answer).toEqual({ status: 503, body: "svid: there is none yet: connection refused\n" });
  });

  it("is not ready when no SDS client can connect", async () => {
    const { identity, state, options } = start();
    state.set("serving");
    identity.publish(await identityUntil(inAnHour));
    const answer = await get({ ...options, socketProblem: async () => "/x is not our socket" }, "/healthz/ready");
    expect(answer).toEqual({ status: 503, body: "sds: /x is not our socket\n" });
  });

  it("is not ready before the start and while stopping", async () => {
    const { identity, state, options } = start();
    identity.publish(await identityUntil(inAnHour));
    expect(await get(options, "/healthz/ready")).toEqual({ status: 503, body: "agent: starting\n" });
    state.set("draining");
    expect(await get(options, "/healthz/ready")).toEqual({ status: 503, body: "agent: draining\n" });
  });
});

describe("/metrics", () => {
  it.each(["/metrics", "/stats/prometheus"])("has Istio's names on %s", async (path) => {
    const { identity, options } = start();
    identity.publish(await identityUntil(inAnHour));
    options.metrics.outgoingRequests.add({ request_type: "csr" });
    const { status, body } = await get(options, path);
    expect(status).toBe(200);
    expect(body).toContain('istio_agent_num_outgoing_requests{request_type="csr"} 1\n');
    expect(body).toContain('istio_agent_cert_expiry_seconds{resource_name="default"} 3600\n');
    expect(body).toContain("istio_agent_startup_duration_seconds");
  });

  it("has no expiry before there is an SVID", async () => {
    const { body } = await get(start().options, "/metrics");
    expect(body).not.toMatch(/^istio_agent_cert_expiry_seconds\{/m);
  });
});

describe("/debug/status", () => {
  it("says what is served, since when and until when, and holds no key", async () => {
    const { identity, options } = start(new Error("the CA is away"));
    expect(JSON.parse((await get(options, "/debug/status")).body)).toMatchObject({
      state: "starting",
      identity: null,
      lastFailure: "the CA is away",
      caAddresses: ["ca:15012"],
      streams: [],
    });
    identity.publish(await identityUntil(inAnHour));
    const { body } = await get(options, "/debug/status");
    expect(JSON.parse(body).identity).toMatchObject({
      spiffeId: "spiffe://cluster.local/ns/demo/sa/frontend",
      secondsLeft: 3_600,
      notAfter: "2026-03-01T13:00:00.000Z",
      stale: false,
      trustBundles: { "cluster.local": { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    });
    expect(body).not.toContain("PRIVATE");
  });
});

describe("what is for this machine alone", () => {
  it.each(["/debug/status", "/drain", "/quitquitquit"])("%s", async (path) => {
    const { options } = start();
    for (const address of ["10.0.0.1", "::2", "127.0.0.1.example", ""]) {
      expect((await get(options, path, address)).status).toBe(403);
    }
    expect(quits).toEqual([]);
    for (const address of ["127.0.0.1", "127.1.2.3", "::1"])
      expect((await get(options, path, address)).status).toBe(200);
  });

  it("draining makes the agent unready, and quitting ends it, both by POST", async () => {
    const { state, options } = start();
    state.set("serving");
    await get(options, "/drain");
    expect(state.current()).toBe("draining");
    await get(options, "/quitquitquit");
    expect(quits).toEqual(["quit"]);
    for (const path of ["/drain", "/quitquitquit"])
      expect(statusRoutes(options)[path]).toMatchObject({ methods: ["POST"] });
  });
});
