import { demoSpiffeId, type WorkloadName } from "./demo-workload.ts";
import { type PolicyFindings, policyPrincipals } from "./play-policy.ts";
import type { Sightings } from "./sightings.ts";
import type { TrafficTotals } from "./traffic.ts";
import type { VaultSignature } from "./vault/signing-log.ts";

/** What `npm run demo -- --json` prints. */
export type DemoReport = {
  readonly ok: boolean;
  readonly envoy: { readonly version: string } | null;
  /** The issuers of the certificates that both sides showed; null before anything was seen. */
  readonly signedBy: string | null;
  /** Null unless Vault signs. */
  readonly vault: VaultReport | null;
  readonly requests: number;
  readonly failures: number;
  readonly connectionsLost: number;
  readonly rotations: { readonly frontend: number; readonly backend: number };
  readonly serialsSeen: number;
  /** The SPIFFE ID that each side saw of the other; null before anything was seen. */
  readonly peers: { readonly frontend: string | null; readonly backend: string | null };
  readonly strangersRefused: number;
  /** Null unless the act of the policy was reached. */
  readonly policy: PolicyFindings | null;
  readonly seconds: number;
};

/** What Vault says of the certificates. */
export type VaultReport = {
  readonly version: string;
  /** How many it signed for each workload, by its own audit log; null with a Vault whose log is not ours to read. */
  readonly signatures: { readonly frontend: number; readonly backend: number } | null;
  /** Certificates that were shown and that Vault does not have in its log. */
  readonly unknown: number;
};

/** What is known of the Vault that signs. */
export type VaultFindings = {
  readonly version: string;
  /** Name of the issuer that it signs workloads with. */
  readonly issuer: string;
  readonly signatures: readonly VaultSignature[] | undefined;
};

/** What the acts of the demo came to; an act that was not reached leaves nothing. */
export type DemoFindings = {
  readonly envoyVersion: string | undefined;
  /** Undefined unless Vault signs. */
  readonly vault: VaultFindings | undefined;
  readonly traffic: TrafficTotals | undefined;
  readonly sightings: Sightings;
  readonly strangersRefused: number;
  readonly policy: PolicyFindings | undefined;
  /** False when an act broke off. */
  readonly playedOut: boolean;
  readonly seconds: number;
};

/** How many times each side must have rotated, and how many strangers there are to refuse. */
export const expected = { rotations: 3, strangers: 3 } as const;

/** The report; it is `ok` only if every request, connection, rotation, peer, refusal and answer is as it must be. */
export function createReport(findings: DemoFindings): DemoReport {
  const { sightings, strangersRefused } = findings;
  const traffic = findings.traffic ?? { requests: 0, failures: 0, connectionsLost: 0 };
  const rotations = { frontend: sightings.rotations("frontend"), backend: sightings.rotations("backend") };
  // The frontend saw what the backend showed, and the other way round.
  const signedBy = namesOf(new Set([...sightings.of("frontend").issuers, ...sightings.of("backend").issuers]));
  const vault = findings.vault === undefined ? null : vaultReport(findings.vault, sightings);
  const peers = {
    frontend: namesOf(sightings.of("backend").spiffeIds),
    backend: namesOf(sightings.of("frontend").spiffeIds),
  };
  return {
    ok:
      findings.playedOut &&
      traffic.requests > 0 &&
      traffic.failures === 0 &&
      traffic.connectionsLost === 0 &&
      Math.min(rotations.frontend, rotations.backend) >= expected.rotations &&
      peers.frontend === demoSpiffeId("backend") &&
      peers.backend === demoSpiffeId("frontend") &&
      strangersRefused === expected.strangers &&
      isPolicyAsMust(findings.policy) &&
      (findings.vault === undefined || signedBy === findings.vault.issuer) &&
      (vault === null || vault.unknown === 0),
    envoy: findings.envoyVersion === undefined ? null : { version: findings.envoyVersion },
    ...{ signedBy, vault },
    requests: traffic.requests,
    failures: traffic.failures,
    connectionsLost: traffic.connectionsLost,
    rotations,
    serialsSeen: sightings.of("frontend").serials.length,
    peers,
    strangersRefused,
    policy: findings.policy ?? null,
    seconds: Math.round(findings.seconds * 10) / 10,
  };
}

/** Denied for the mistake, which the sentence names; mended, it lets in whom it should and nobody else. */
function isPolicyAsMust(policy: PolicyFindings | undefined): boolean {
  if (policy === undefined) return false;
  const { denied, sentence, mendedStatus, otherWorkload } = policy;
  return (
    denied.status === 403 &&
    denied.body === "RBAC: access denied" &&
    sentence.startsWith("denied:") &&
    sentence.includes(policyPrincipals.mistaken) &&
    sentence.includes(policyPrincipals.right) &&
    mendedStatus === 200 &&
    otherWorkload.before === 200 &&
    otherWorkload.after === 403
  );
}

function vaultReport({ version, signatures }: VaultFindings, sightings: Sightings): VaultReport {
  if (signatures === undefined) return { version, signatures: null, unknown: 0 };
  const count = (name: WorkloadName): number =>
    signatures.filter(({ spiffeId }) => spiffeId === demoSpiffeId(name)).length;
  const signed = new Set(signatures.map(({ serial }) => serial));
  const shown = [...sightings.of("frontend").serials, ...sightings.of("backend").serials];
  return {
    version,
    signatures: { frontend: count("frontend"), backend: count("backend") },
    unknown: shown.filter((serial) => !signed.has(serial)).length,
  };
}

function namesOf(names: ReadonlySet<string>): string | null {
  return names.size === 0 ? null : [...names].join(" and ");
}
