import { describe, expect, test } from "vitest";
import { createReport, type DemoFindings } from "./report.ts";
import { createSightings, type Sightings } from "./sightings.ts";

const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const backend = "spiffe://cluster.local/ns/demo/sa/backend";
const issuer = "O=cluster.local";

const policy = {
  denied: { status: 403, body: "RBAC: access denied" },
  sentence:
    "denied: no ALLOW policy matched; it wants cluster.local/ns/demo/sa/fronted and the request has cluster.local/ns/demo/sa/frontend",
  mendedStatus: 200,
  otherWorkload: { before: 200, after: 403 },
};

function sightingsOf(serials: number, ids: { frontend: string; backend: string } = { frontend, backend }): Sightings {
  const sightings = createSightings(() => undefined);
  for (let serial = 0; serial < serials; serial += 1) {
    sightings.add({
      frontend: { spiffeId: ids.frontend, serial: `f${serial}`, issuer },
      backend: { spiffeId: ids.backend, serial: `b${serial}`, issuer },
      connectionId: "0",
    });
  }
  return sightings;
}

function findings(changes: Partial<DemoFindings> = {}): DemoFindings {
  return {
    envoyVersion: "1.40.0",
    vault: undefined,
    traffic: { requests: 1000, failures: 0, connectionsLost: 0, connections: 101, reasons: [] },
    sightings: sightingsOf(5),
    strangersRefused: 3,
    policy,
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
      signedBy: issuer,
      vault: null,
      requests: 1000,
      failures: 0,
      connectionsLost: 0,
      rotations: { frontend: 4, backend: 4 },
      serialsSeen: 5,
      peers: { frontend: backend, backend: frontend },
      strangersRefused: 3,
      policy,
      seconds: 27.3,
    });
  });

  test("reports no Envoy as null, and what was not reached as nothing", () => {
    const nothing = findings({
      ...{ envoyVersion: undefined, traffic: undefined, policy: undefined },
      sightings: sightingsOf(0),
    });
    expect(createReport(nothing)).toMatchObject({
      ok: false,
      envoy: null,
      signedBy: null,
      vault: null,
      requests: 0,
      rotations: { frontend: 0, backend: 0 },
      peers: { frontend: null, backend: null },
      policy: null,
    });
  });

  const signatures = [0, 1, 2, 3, 4].flatMap((serial) => [
    { spiffeId: frontend, serial: `f${serial}` },
    { spiffeId: backend, serial: `b${serial}` },
  ]);
  const canary = { spiffeId: "spiffe://cluster.local/canary", serial: "c0" };
  const vault = { version: "1.21.0", issuer, signatures: [...signatures, canary] };

  test("holds what was shown to what Vault says it signed", () => {
    const report = createReport(findings({ vault }));
    const counts = { version: "1.21.0", signatures: { frontend: 5, backend: 5 }, unknown: 0 };
    expect(report).toMatchObject({ ok: true, signedBy: issuer, vault: counts });
  });

  test("counts nothing with a Vault whose log is not ours", () => {
    const report = createReport(findings({ vault: { ...vault, signatures: undefined } }));
    expect(report).toMatchObject({ ok: true, vault: { version: "1.21.0", signatures: null, unknown: 0 } });
  });

  const traffic = { requests: 1000, failures: 0, connectionsLost: 0, connections: 101, reasons: [] };
  const cases: readonly (readonly [what: string, changes: Partial<DemoFindings>])[] = [
    ["a request failed", { traffic: { ...traffic, failures: 1 } }],
    ["a connection was lost", { traffic: { ...traffic, connectionsLost: 1 } }],
    ["there was no traffic", { traffic: { ...traffic, requests: 0 } }],
    ["there were two rotations only", { sightings: sightingsOf(3) }],
    ["a stranger got in", { strangersRefused: 2 }],
    ["the policy was not reached", { policy: undefined }],
    ["the mistake let the frontend in", { policy: { ...policy, denied: { status: 503, body: policy.denied.body } } }],
    ["something else than a policy denied", { policy: { ...policy, denied: { status: 403, body: "" } } }],
    ["the sentence says allowed", { policy: { ...policy, sentence: policy.sentence.replace("denied", "allowed") } }],
    ["the sentence misses the typo", { policy: { ...policy, sentence: policy.sentence.replace("fronted", "x") } }],
    ["the sentence misses who called", { policy: { ...policy, sentence: policy.sentence.replace("frontend", "x") } }],
    ["the mended policy denies", { policy: { ...policy, mendedStatus: 403 } }],
    ["another was out before", { policy: { ...policy, otherWorkload: { before: 403, after: 403 } } }],
    ["another is in after", { policy: { ...policy, otherWorkload: { before: 200, after: 200 } } }],
    ["an act broke off", { playedOut: false }],
    ["Vault does not know a certificate", { vault: { ...vault, signatures: signatures.slice(1) } }],
    ["another than Vault signed", { vault: { ...vault, issuer: "CN=other" } }],
    ["the backend was someone else", { sightings: sightingsOf(5, { frontend, backend: frontend }) }],
    ["the frontend was someone else", { sightings: sightingsOf(5, { frontend: backend, backend }) }],
  ];
  test.each(cases)("is not ok when %s", (_what, changes) => {
    expect(createReport(findings(changes)).ok).toBe(false);
  });
});
