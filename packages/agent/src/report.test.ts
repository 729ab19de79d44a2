import { FakeClock, fakeLogger } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import type { WorkloadIdentity } from "./identity/workload-identity.ts";
import { createAgentMetrics } from "./metrics.ts";
import { reportIdentity } from "./report-identity.ts";
import { reportSds } from "./report-sds.ts";

const start = new Date("2026-03-01T12:00:00Z");
const frontend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

async function identityOf(spiffeId: string, notAfter: Date): Promise<WorkloadIdentity> {
  const root = await testRoot();
  const trustBundles = new Map([[parseTrustDomain("cluster.local"), root.trustBundle]]);
  return { svid: await testLeaf(root, { spiffeId, notAfter }), trustBundles, receivedAt: start };
}

function startReport() {
  const logger = fakeLogger();
  const clock = new FakeClock(start);
  const metrics = createAgentMetrics({ secondsToExpiry: () => undefined, isStale: () => false });
  const messages = (): readonly string[] => logger.lines.map(({ message }) => message);
  return { logger, clock, metrics, messages };
}

describe("the report on the identity", () => {
  it("counts requests, retries, failures and time, and the time to the first SVID once", async () => {
    const { logger, clock, metrics } = startReport();
    const report = reportIdentity(metrics, { logger, clock, startedAt: start });
    const identity = await identityOf(frontend, new Date("2026-03-02T12:00:00Z"));
    report.requested({ attempt: 1 });
    report.failed({
      error: new Error("no"),
      attempt: 1,
      durationMs: 30,
      retryInMs: 70,
      current: undefined,
    });
    expect(report.lastFailure()).toEqual(new Error("no"));
    clock.jump(2_000);
    report.requested({ attempt: 2 });
    const issued = {
      identity,
      requestedSpiffeId: frontend,
      renewAt: start,
      attempt: 2,
      durationMs: 12,
      clockAheadMs: 0,
    };
    report.issued({ ...issued, previous: undefined });
    expect(report.lastFailure()).toBeUndefined();
    clock.jump(60_000);
    report.issued({ ...issued, previous: identity });
    const text = await metrics.registry.text();
    for (const line of [
      'num_outgoing_requests{request_type="csr"} 2',
      'num_failed_outgoing_requests{request_type="csr"} 1',
      'num_outgoing_retries{request_type="csr"} 1',
      'outgoing_latency{request_type="csr"} 54',
      "startup_duration_seconds 2",
      "svids_issued 2",
    ]) {
      expect(text).toContain(`istio_agent_${line}\n`);
    }
  });

  it("is an error without a valid SVID and a warning with one", async () => {
    const { logger, clock, metrics } = startReport();
    const report = reportIdentity(metrics, { logger, clock, startedAt: start });
    const failed = { error: new Error("no"), attempt: 1, durationMs: 1, retryInMs: 1 };
    const current = await identityOf(frontend, new Date("2026-03-01T13:00:00Z"));
    report.failed({ ...failed, current: undefined });
    report.failed({ ...failed, current });
    clock.jump(3_600_000);
    report.failed({ ...failed, current });
    expect(logger.lines.map(({ level }) => level)).toEqual(["error", "warn", "error"]);
  });

  it("tells of another SPIFFE ID than expected once, and of every change", async () => {
    const { logger, clock, metrics, messages } = startReport();
    const report = reportIdentity(metrics, { logger, clock, startedAt: start });
    const facts = { renewAt: start, attempt: 1, durationMs: 1, clockAheadMs: 0, requestedSpiffeId: frontend };
    const other = await identityOf("spiffe://cluster.local/ns/demo/sa/other", start);
    const third = await identityOf("spiffe://cluster.local/ns/demo/sa/third", start);
    report.issued({ ...facts, identity: other, previous: undefined });
    report.issued({ ...facts, identity: other, previous: other });
    report.issued({ ...facts, identity: third, previous: other });
    const placeholder = parseSpiffeId("spiffe://cluster.local/ns/unknown/sa/unknown");
    report.issued({ ...facts, requestedSpiffeId: placeholder, identity: other, previous: undefined });
    const unexpected = "the CA issued another SPIFFE ID than the agent's settings name";
    const changed = "SPIFFE ID changed with the rotation";
    const issued = "SVID issued";
    expect(messages()).toEqual([issued, unexpected, issued, issued, changed, unexpected, issued]);
  });
});

describe("the report on SDS", () => {
  const stream = { streamId: "s-1", nodeId: "node" };

  it("alarms about a clock that is a minute off, and shows it before", async () => {
    const { logger, clock, metrics, messages } = startReport();
    const report = reportIdentity(metrics, { logger, clock, startedAt: start });
    const identity = await identityOf(frontend, new Date("2026-03-02T12:00:00Z"));
    const issued = {
      identity,
      requestedSpiffeId: frontend,
      renewAt: start,
      attempt: 1,
      durationMs: 1,
      previous: identity,
    };
    report.issued({ ...issued, clockAheadMs: -59_000 });
    expect(await metrics.registry.text()).toContain("istio_agent_clock_ahead_seconds -59\n");
    report.issued({ ...issued, clockAheadMs: -60_000 });
    report.issued({ ...issued, clockAheadMs: 3_600_000 });
    const alarm = "our clock and the CA's differ by so much that peers may refuse each other";
    expect(messages().filter((message) => message === alarm)).toHaveLength(2);
  });

  it("counts streams, responses, ACKs and NACKs, and logs the reason of a NACK", async () => {
    const { logger, clock, metrics } = startReport();
    const report = reportSds(metrics, { logger, clock });
    report.opened(stream);
    report.opened(stream);
    report.closed(stream);
    report.sent(stream, { versionInfo: "v1", names: ["default"] });
    report.noticed(stream, { kind: "acknowledged", versionInfo: "v1" });
    report.noticed(stream, { kind: "rejected", versionInfo: "v1", reason: "bad key" });
    report.noticed(stream, { kind: "stale", responseNonce: "x" });
    const text = await metrics.registry.text();
    for (const line of ["sds_streams 1", "sds_responses 1", "sds_acks 1", "sds_nacks 1"]) {
      expect(text).toContain(`istio_agent_${line}\n`);
    }
    const rejected = logger.lines.find(({ level }) => level === "warn");
    expect(rejected?.fields).toEqual({ ...stream, versionInfo: "v1", reason: "bad key", suppressed: 0 });
  });

  it("counts every NACK of a flood, logs 60 a minute, and says how many it left out", async () => {
    const { logger, clock, metrics } = startReport();
    const report = reportSds(metrics, { logger, clock });
    const flood = (): void => {
      for (let n = 0; n < 1_000; n += 1) {
        report.noticed(stream, { kind: "rejected", versionInfo: undefined, reason: "no" });
      }
    };
    flood();
    clock.jump(60_000);
    flood();
    clock.jump(-3_600_000);
    flood();
    expect(logger.lines).toHaveLength(180);
    expect([0, 59, 60, 120].map((n) => logger.lines[n]?.fields.suppressed)).toEqual([0, 0, 940, 940]);
    expect(await metrics.registry.text()).toContain("istio_agent_sds_nacks 3000\n");
  });

  it("logs an unknown name once, and no more names than a client could fill the log with", async () => {
    const { logger, clock, metrics } = startReport();
    const report = reportSds(metrics, { logger, clock });
    const names = Array.from({ length: 1_000 }, (_, n) => `name-${n}-${"x".repeat(1_000)}`);
    for (let round = 0; round < 2; round += 1) report.noticed(stream, { kind: "unknown-names", names });
    expect(logger.lines).toHaveLength(64);
    expect(String(logger.lines[0]?.fields.name)).toHaveLength(256);
    expect(await metrics.registry.text()).toContain("istio_agent_sds_unknown_names 2000\n");
  });
});
