import { createServingState, createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import { createAgentMetrics } from "./metrics.ts";
import { type StatusOptions, statusRoutes } from "./status.ts";

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock(new Date("2026-03-01T12:00:00Z"));
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
    lastFailure: () => failure,
    socketProblem: async () => undefined,
    state,
    metrics: createAgentMetrics({ secondsToExpiry: secondsLeft, isStale: () => false }),
    clock,
  };
  return { identity, state, options };
}

async function get(options: StatusOptions, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const request = { method: "GET", path, query: new URLSearchParams(), remoteAddress: "127.0.0.1" };
  const route = statusRoutes(options)[path];
  if (route === undefined) throw new Error(`no route ${path}`);
  return await route({ ...request, signal: new AbortController().signal });
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
