import { createHash } from "node:crypto";
import { type Clock, errorMessage, type ServingState, type Source } from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { certificatePem, describeName, serialNumberHex, type TrustBundle } from "@signet/x509";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import type { StreamStatus } from "../sds/stream-registry.ts";

export type DebugOptions = {
  readonly identity: Source<WorkloadIdentity>;
  /** Whether what is served is from an earlier start, or past its end. */
  readonly isStale: () => boolean;
  readonly lastFailure: () => unknown;
  readonly streams: () => readonly StreamStatus[];
  readonly state: ServingState;
  readonly socketPath: string;
  readonly caAddresses: readonly string[];
  readonly clock: Clock;
};

/** What the agent serves to whom; every instant is RFC 3339, and there is no key in it. */
export type AgentStatus = {
  readonly state: string;
  readonly now: string;
  readonly caAddresses: readonly string[];
  readonly socket: string;
  /** Null before the first one. */
  readonly identity: IdentityStatus | null;
  /** Why the last request to the CA failed, null when none has since the last success. */
  readonly lastFailure: string | null;
  readonly streams: readonly StreamStatus[];
};

export type IdentityStatus = {
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly receivedAt: string;
  readonly secondsLeft: number;
  readonly stale: boolean;
  readonly trustBundles: Readonly<Record<string, TrustBundleStatus>>;
};

export type TrustBundleStatus = {
  readonly subjects: readonly string[];
  /** Of the certificates in any order: two agents with equal hashes believe the same roots. */
  readonly sha256: string;
};

/** Returns what is served now. */
export function debugStatus(options: DebugOptions): AgentStatus {
  const { identity, lastFailure, streams, state, socketPath, caAddresses, clock } = options;
  const current = identity.current();
  const failure = lastFailure();
  return {
    state: state.current(),
    now: clock.now().toISOString(),
    caAddresses,
    socket: socketPath,
    identity: current === undefined ? null : identityStatus(current, options),
    lastFailure: failure === undefined ? null : errorMessage(failure),
    streams: streams(),
  };
}

function identityStatus(
  { svid, trustBundles, receivedAt }: WorkloadIdentity,
  { clock, isStale }: DebugOptions,
): IdentityStatus {
  const [leaf] = svid.chain;
  const own = trustDomainOf(svid.spiffeId);
  const names = [own, ...[...trustBundles.keys()].filter((name) => name !== own)];
  return {
    spiffeId: svid.spiffeId,
    serialNumber: serialNumberHex(leaf),
    notBefore: leaf.notBefore.toISOString(),
    notAfter: leaf.notAfter.toISOString(),
    receivedAt: receivedAt.toISOString(),
    secondsLeft: Math.floor((leaf.notAfter.getTime() - clock.now().getTime()) / 1000),
    stale: isStale(),
    trustBundles: Object.fromEntries(
      names.flatMap((name) => {
        const bundle = trustBundles.get(name);
        return bundle === undefined ? [] : [[name, bundleStatus(bundle)] as const];
      }),
    ),
  };
}

function bundleStatus({ authorities }: TrustBundle): TrustBundleStatus {
  const hash = createHash("sha256");
  for (const pem of authorities.map(certificatePem).sort()) hash.update(pem);
  return { subjects: authorities.map(({ subject }) => describeName(subject)), sha256: hash.digest("hex") };
}
