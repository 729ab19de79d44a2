import type { AgentStatus } from "@signet/agent";
import { describe, expect, it } from "vitest";
import { describeAgentStatus } from "./describe-agent-status.ts";

const identity = {
  spiffeId: "spiffe://cluster.local/ns/demo/sa/frontend",
  serialNumber: "01ab",
  notBefore: "2026-03-01T11:58:00.000Z",
  notAfter: "2026-03-02T12:00:00.000Z",
  receivedAt: "2026-03-01T12:00:00.000Z",
  secondsLeft: 86_400,
  stale: false,
  trustBundles: { "cluster.local": { subjects: ["O=cluster.local"], sha256: "c0ffee".repeat(11).slice(0, 64) } },
};
const stream = {
  streamId: "s-1",
  nodeId: "sidecar~10.0.0.1~frontend.demo",
  names: ["default", "ROOTCA"],
  sentVersion: "v1",
  acknowledgedVersion: "v1",
  rejection: null,
};
const status: AgentStatus = {
  state: "serving",
  now: "2026-03-01T12:00:00.000Z",
  caAddresses: ["istiod.istio-system.svc:15012"],
  socket: "/run/socket",
  identity,
  lastFailure: null,
  streams: [stream],
};

describe("the status of an agent, for a person", () => {
  it("says who is served what, until when and from which CA", () => {
    expect(describeAgentStatus(status).split("\n")).toEqual([
      "agent      serving, SDS at /run/socket",
      "CA         istiod.istio-system.svc:15012",
      "identity   spiffe://cluster.local/ns/demo/sa/frontend",
      "           serial 01ab, until 2026-03-02T12:00:00.000Z (24h0m0s left)",
      "trust      cluster.local: 1 root, c0ffeec0ffeec0ff",
      "clients    sidecar~10.0.0.1~frontend.demo: default, ROOTCA, taken",
      "",
    ]);
  });

  it.each<[string, Partial<AgentStatus>, string]>([
    [
      "before the first",
      { identity: null, lastFailure: "away", streams: [] },
      "identity   none yet\nlast error away\nclients    none",
    ],
    ["after the end", { identity: { ...identity, secondsLeft: -90, stale: true } }, "(expired 1m30s ago)"],
    ["of an earlier start", { identity: { ...identity, stale: true } }, "from an earlier start"],
    ["that a client has rejected", { streams: [{ ...stream, rejection: "bad key" }] }, "ROOTCA, REJECTED: bad key"],
    ["under way", { streams: [{ ...stream, acknowledgedVersion: null }] }, "ROOTCA, not taken yet"],
    ["of a client that draws", { streams: [{ ...stream, nodeId: "a\u001b[2Jb" }] }, "a\\u001b[2Jb: "],
  ])("says what is unusual: %s", (_, changed, expected) => {
    expect(describeAgentStatus({ ...status, ...changed })).toContain(expected);
  });
});
