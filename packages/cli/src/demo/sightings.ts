import { X509Certificate } from "node:crypto";
import type { ClientAsSeen } from "./backend-workload.ts";
import type { WorkloadName } from "./demo-workload.ts";
import type { HttpAnswer } from "./http-connection.ts";

/** A certificate as the peer of its owner saw it; the issuer as X.509 names are written, such as "O=cluster.local". */
export type CertificateSeen = { readonly spiffeId: string; readonly serial: string; readonly issuer: string };

/** What one answered request proved: who showed what to whom, on which connection between the two sidecars. */
export type Sighting = {
  readonly frontend: CertificateSeen;
  readonly backend: CertificateSeen;
  readonly connectionId: string;
};

/**
 * Reads the proof from an answer that went through both sidecars.
 *
 * @throws Error when a sidecar did not say what it saw, which would leave nothing to count
 */
export function readSighting(answer: HttpAnswer): Sighting {
  const client = JSON.parse(answer.body) as ClientAsSeen;
  const certificate = new X509Certificate(decodeURIComponent(String(answer.headers["x-upstream-certificate"])));
  const sighting: Sighting = {
    frontend: { spiffeId: client.spiffeId, serial: client.serial, issuer: client.issuer },
    backend: {
      spiffeId: String(answer.headers["x-upstream-spiffe-id"]),
      serial: certificate.serialNumber.toLowerCase(),
      issuer: certificate.issuer,
    },
    connectionId: client.connectionId,
  };
  if (!client.spiffeId || !client.serial || !client.issuer || !client.connectionId) {
    throw new Error("the backend's sidecar did not say who called");
  }
  return sighting;
}

/** The certificates that one workload has shown, in order. */
export type Shown = {
  readonly spiffeIds: ReadonlySet<string>;
  readonly serials: readonly string[];
  readonly issuers: ReadonlySet<string>;
};

/** Collects sightings and tells each new certificate of a workload once. */
export interface Sightings {
  add(sighting: Sighting): void;
  of(owner: WorkloadName): Shown;
  /** How often a workload has come with another certificate than before. */
  rotations(owner: WorkloadName): number;
}

/** Returns an empty collection. `onCertificate` is called with each certificate at its first sighting. */
export function createSightings(
  onCertificate: (owner: WorkloadName, seen: CertificateSeen, rotation: number) => void,
): Sightings {
  const shown = {
    frontend: { spiffeIds: new Set<string>(), serials: [] as string[], issuers: new Set<string>() },
    backend: { spiffeIds: new Set<string>(), serials: [] as string[], issuers: new Set<string>() },
  };
  const addOne = (owner: WorkloadName, seen: CertificateSeen): void => {
    shown[owner].spiffeIds.add(seen.spiffeId);
    shown[owner].issuers.add(seen.issuer);
    // A kept connection shows its first certificate for ever, long after newer ones.
    if (!shown[owner].serials.includes(seen.serial)) {
      shown[owner].serials.push(seen.serial);
      onCertificate(owner, seen, shown[owner].serials.length - 1);
    }
  };
  return {
    add(sighting) {
      addOne("frontend", sighting.frontend);
      addOne("backend", sighting.backend);
    },
    of: (owner) => shown[owner],
    rotations: (owner) => Math.max(0, shown[owner].serials.length - 1),
  };
}
