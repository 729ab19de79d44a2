import { demoSpiffeId } from "./demo-workload.ts";
import type { Shown, Sightings } from "./sightings.ts";
import type { TrafficTotals } from "./traffic.ts";

/** What `npm run demo -- --json` prints. */
export type DemoReport = {
  readonly ok: boolean;
  readonly envoy: { readonly version: string } | null;
  readonly requests: number;
  readonly failures: number;
  readonly connectionsLost: number;
  readonly rotations: { readonly frontend: number; readonly backend: number };
  readonly serialsSeen: number;
  /** The SPIFFE ID that each side saw of the other; null before anything was seen. */
  readonly peers: { readonly frontend: string | null; readonly backend: string | null };
  readonly strangersRefused: number;
  readonly seconds: number;
};

/** What the acts of the demo came to; an act that was not reached leaves nothing. */
export type DemoFindings = {
  readonly envoyVersion: string | undefined;
  readonly traffic: TrafficTotals | undefined;
  readonly sightings: Sightings;
  readonly strangersRefused: number;
  /** False when an act broke off. */
  readonly playedOut: boolean;
  readonly seconds: number;
};

/** How many times each side must have rotated, and how many strangers there are to refuse. */
export const expected = { rotations: 3, strangers: 3 } as const;

/** The report; it is `ok` only if every request, connection, rotation, peer and refusal is as it must be. */
export function createReport(findings: DemoFindings): DemoReport {
  const { sightings, strangersRefused } = findings;
  const traffic = findings.traffic ?? { requests: 0, failures: 0, connectionsLost: 0 };
  const rotations = { frontend: sightings.rotations("frontend"), backend: sightings.rotations("backend") };
  // The frontend saw what the backend showed, and the other way round.
  const peers = { frontend: spiffeIdOf(sightings.of("backend")), backend: spiffeIdOf(sightings.of("frontend")) };
  return {
    ok:
      findings.playedOut &&
      traffic.requests > 0 &&
      traffic.failures === 0 &&
      traffic.connectionsLost === 0 &&
      Math.min(rotations.frontend, rotations.backend) >= expected.rotations &&
      peers.frontend === demoSpiffeId("backend") &&
      peers.backend === demoSpiffeId("frontend") &&
      strangersRefused === expected.strangers,
    envoy: findings.envoyVersion === undefined ? null : { version: findings.envoyVersion },
    requests: traffic.requests,
    failures: traffic.failures,
    connectionsLost: traffic.connectionsLost,
    rotations,
    serialsSeen: sightings.of("frontend").serials.length,
    peers,
    strangersRefused,
    seconds: Math.round(findings.seconds * 10) / 10,
  };
}

function spiffeIdOf(shown: Shown): string | null {
  return shown.spiffeIds.size === 0 ? null : [...shown.spiffeIds].join(" ");
}
