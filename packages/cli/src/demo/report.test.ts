import { describe, expect, test } from "vitest";
import { createReport, type DemoFindings } from "./report.ts";
import { createSightings, type Sightings } from "./sightings.ts";

const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const backend = "spiffe://cluster.local/ns/demo/sa/backend";

function sightingsOf(serials: number, ids: { frontend: string; backend: string } = { frontend, backend }): Sightings {
  const sightings = createSightings(() => undefined);
  for (let serial = 0; serial < serials; serial += 1) {
    sightings.add({
      frontend: { spiffeId: ids.frontend, serial: `f${serial}` },
      backend: { spiffeId: ids.backend, serial: `b${serial}` },
      connectionId: "0",
    });
  }
  return sightings;
}

function findings(changes: Partial<DemoFindings> = {}): DemoFindings {
  return {
    envoyVersion: "1.40.0",
    traffic: { requests: 1000, failures: 0, connectionsLost: 0, connections: 101, reasons: [] },
    sightings: sightingsOf(5),
    strangersRefused: 3,
    playedOut: true,
    seconds: 27.3456,
    ...changes,
  };
}

describe("createReport", () => {
  test("has the promised fields and no more", () => {
    expect(createReport(findings())).toEqual({
      ok: true,
      envoy: { version: "1.40.0" },
      requests: 1000,
      failures: 0,
      connectionsLost: 0,
      rotations: { frontend: 4, backend: 4 },
      serialsSeen: 5,
      peers: { frontend: backend, backend: frontend },
      strangersRefused: 3,
      seconds: 27.3,
    });
  });

  test("reports no Envoy as null, and what was not reached as nothing", () => {
    const nothing = findings({ envoyVersion: undefined, traffic: undefined, sightings: sightingsOf(0) });
    expect(createReport(nothing)).toMatchObject({
      ok: false,
      envoy: null,
      requests: 0,
      rotations: { frontend: 0, backend: 0 },
      peers: { frontend: null, backend: null },
    });
  });

  const traffic = { requests: 1000, failures: 0, connectionsLost: 0, connections: 101, reasons: [] };
  const cases: readonly (readonly [what: string, changes: Partial<DemoFindings>])[] = [
    ["a request failed", { traffic: { ...traffic, failures: 1 } }],
    ["a connection was lost", { traffic: { ...traffic, connectionsLost: 1 } }],
    ["there was no traffic", { traffic: { ...traffic, requests: 0 } }],
    ["there were two rotations only", { sightings: sightingsOf(3) }],
    ["a stranger got in", { strangersRefused: 2 }],
    ["an act broke off", { playedOut: false }],
    ["the backend was someone else", { sightings: sightingsOf(5, { frontend, backend: frontend }) }],
    ["the frontend was someone else", { sightings: sightingsOf(5, { frontend: backend, backend }) }],
  ];
  test.each(cases)("is not ok when %s", (_what, changes) => {
    expect(createReport(findings(changes)).ok).toBe(false);
  });
});
