import {
  type Clock,
  createBackoff,
  createSource,
  type Random,
  type Source,
  sleepUntil,
  type Task,
  withDeadline,
} from "@signet/runtime";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import { createCsr, generateKeyPair, type KeyPair, type KeyType, type TrustBundle, type X509Svid } from "@signet/x509";
import type { CaClient } from "../ca-client/ca-client.ts";
import { retryPushbackMs } from "../ca-client/retry-pushback.ts";
import { checkIssuedCertificate } from "./check-issued-certificate.ts";
import {
  decideAttemptMs,
  decideClockAheadMs,
  decideLeftMs,
  decidePublication,
  decideRenewalMs,
  decideRetryCapMs,
  decideRetryMs,
  decideTickMs,
  followingBackwardSteps,
  type RotationPolicy,
  retryBackoff,
} from "./rotation-schedule.ts";

/** What a workload shows its peers, and what it believes them by. */
export type WorkloadIdentity = {
  readonly svid: X509Svid;
  readonly trustBundles: ReadonlyMap<TrustDomain, TrustBundle>;
  /** When the SVID arrived, by our clock. */
  readonly receivedAt: Date;
};

/** The last instant at which the leaf is valid. */
export function notAfterOf(identity: WorkloadIdentity): Date {
  return identity.svid.chain[0].notAfter;
}

export type WorkloadIdentityOptions = {
  readonly keyType: KeyType;
  /** Lifetime to ask for; the CA may give less. */
  readonly ttlSeconds: number;
  readonly rotation: RotationPolicy;
  /** How much earlier than its own time the CA dates certificates, in milliseconds; 2 minutes in Istio's. */
  readonly caBackdatingMs: number;
  /** An identity from an earlier life of the process, in use until there is a new one, which is asked for at once. */
  readonly initial?: WorkloadIdentity;
};

/** An identity that was asked for, received and verified, and how it went. */
export type IssuedIdentity = {
  readonly identity: WorkloadIdentity;
  readonly requestedSpiffeId: SpiffeId;
  readonly renewAt: Date;
  readonly attempt: number;
  readonly durationMs: number;
  /** How far our clock seems to be ahead of the CA's, in milliseconds; behind where negative. */
  readonly clockAheadMs: number;
};

/** What the rotation tells the log and the metrics; `durationMs` is that of one attempt. */
export interface IdentityEvents {
  requested(event: { readonly attempt: number }): void;
  issued(event: IssuedIdentity & { readonly previous: WorkloadIdentity | undefined }): void;
  failed(event: {
    readonly error: unknown;
    readonly attempt: number;
    readonly durationMs: number;
    readonly retryInMs: number;
    /** The SVID that stays in use, if any; it may have expired. */
    readonly current: WorkloadIdentity | undefined;
  }): void;
  /** The new SVID is not valid yet by our clock; it is published at `publishAt` or, when undefined, at once. */
  early(event: { readonly notBefore: Date; readonly publishAt: Date | undefined }): void;
}

export type WorkloadIdentityDependencies = {
  readonly caClient: CaClient;
  readonly requestedSpiffeId: () => Promise<SpiffeId>;
  readonly events: IdentityEvents;
  readonly clock: Clock;
  readonly random: Random;
};

/**
 * One workload's identity, kept fresh as long as `task` runs.
 *
 * The published identity is replaced only by a verified successor with a key of its own; whatever fails is tried again,
 * whether or not anyone listens, and also after the expiry. There is one request at a time.
 */
export function createWorkloadIdentity(
  options: WorkloadIdentityOptions,
  dependencies: WorkloadIdentityDependencies,
): { readonly identity: Source<WorkloadIdentity>; readonly task: Task } {
  const { clock } = dependencies;
  const identity = createSource<WorkloadIdentity>(options.initial);

  async function rotate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const previous = identity.current();
      const { leftAtRenewalMs, ...issued } = await obtainIdentity(
        { ...options, current: previous },
        dependencies,
        signal,
      );
      dependencies.events.issued({ ...issued, previous });
      await untilPublishable(issued.identity, signal);
      identity.publish(issued.identity);
      await sleepThroughSteps(clock, { until: issued.renewAt, tickMs: decideTickMs(leftAtRenewalMs) }, signal);
    }
  }

  async function untilPublishable(next: WorkloadIdentity, signal: AbortSignal): Promise<void> {
    const { notBefore } = next.svid.chain[0];
    const now = clock.now();
    if (notBefore <= now) return;
    const publishAt = decidePublication({ now, notBefore, current: identity.current()?.svid.chain[0] });
    dependencies.events.early({ notBefore, publishAt });
    if (publishAt === undefined) return;
    const tickMs = decideTickMs(publishAt.getTime() - now.getTime());
    await sleepThroughSteps(clock, { until: publishAt, tickMs }, signal);
  }

  return { identity, task: { name: "rotate SVID", run: rotate } };
}

/** Sleeps by the wall clock: a step forward and sleep of the machine shorten it, a step back does not make it longer. */
function sleepThroughSteps(
  clock: Clock,
  { until, tickMs }: { readonly until: Date; readonly tickMs: number },
  signal: AbortSignal,
): Promise<void> {
  return sleepUntil(clock, followingBackwardSteps(clock, until), { tickMs }, signal);
}

/** `leftAtRenewalMs` is what will be left of the lifetime at `renewAt`. */
type Obtained = IssuedIdentity & { readonly leftAtRenewalMs: number };

/** A new, verified identity; asks until there is one, and ends otherwise only with `signal`, by throwing its reason. */
async function obtainIdentity(
  options: WorkloadIdentityOptions & { readonly current: WorkloadIdentity | undefined },
  dependencies: WorkloadIdentityDependencies,
  signal: AbortSignal,
): Promise<Obtained> {
  const { clock, events, random } = dependencies;
  const { current } = options;
  const notAfter = current === undefined ? undefined : notAfterOf(current);
  const backoff = createBackoff(retryBackoff, random);
  for (let attempt = 1; ; attempt += 1) {
    events.requested({ attempt });
    let startedAt = clock.now();
    const durationMs = (): number => Math.max(0, clock.now().getTime() - startedAt.getTime());
    try {
      // Not on the attempt's time: a large RSA key takes a throttled pod longer than any attempt may last.
      const key = await generateKeyPair(options.keyType);
      startedAt = clock.now();
      const deadline = { clock, ms: decideAttemptMs(startedAt, notAfter), what: "the request for an SVID" };
      const request = (limit: AbortSignal): Promise<Requested> =>
        requestIdentity(options, { ...dependencies, key }, limit);
      const requested = await withDeadline(deadline, request, signal);
      return { ...requested, attempt, durationMs: durationMs() };
    } catch (error) {
      signal.throwIfAborted();
      const now = clock.now();
      const capMs = decideRetryCapMs({ now, notAfter, requestedTtlMs: options.ttlSeconds * 1000 });
      const leftMs = notAfter === undefined ? 0 : notAfter.getTime() - now.getTime();
      const pushbackMs = retryPushbackMs(error) ?? 0;
      const retryInMs = decideRetryMs({ backoffMs: backoff.nextMs(capMs), pushbackMs, leftMs }, random);
      events.failed({ error, attempt, durationMs: durationMs(), retryInMs, current });
      const until = new Date(now.getTime() + retryInMs);
      await sleepThroughSteps(clock, { until, tickMs: decideTickMs(retryInMs) }, signal);
    }
  }
}

type Requested = Pick<Obtained, "identity" | "requestedSpiffeId" | "renewAt" | "leftAtRenewalMs" | "clockAheadMs">;

async function requestIdentity(
  options: WorkloadIdentityOptions,
  dependencies: WorkloadIdentityDependencies & { readonly key: KeyPair },
  signal: AbortSignal,
): Promise<Requested> {
  const { caClient, clock, random, key } = dependencies;
  const requestedSpiffeId = await dependencies.requestedSpiffeId();
  const csrPem = createCsr({ key, spiffeId: requestedSpiffeId });
  const askedAt = clock.now();
  const issued = await caClient.createCertificate(csrPem, options.ttlSeconds, signal);
  const receivedAt = clock.now();
  const svid = checkIssuedCertificate(issued, key, receivedAt);
  const trustBundles = new Map([[trustDomainOf(svid.spiffeId), issued.trustBundle]]);
  const identity: WorkloadIdentity = { svid, trustBundles, receivedAt };
  const [validity] = svid.chain;
  const leftMs = decideLeftMs({ receivedAt, validity, requestedTtlMs: options.ttlSeconds * 1000 });
  const renewalMs = decideRenewalMs(leftMs, options.rotation, random);
  const renewAt = new Date(receivedAt.getTime() + renewalMs);
  const clockAheadMs = decideClockAheadMs({ askedAt, receivedAt, signedAt: signingTimeOf(validity, options) });
  return { identity, requestedSpiffeId, renewAt, leftAtRenewalMs: leftMs - renewalMs, clockAheadMs };
}

/** When the CA signed, by its own clock. */
function signingTimeOf({ notBefore }: { readonly notBefore: Date }, { caBackdatingMs }: WorkloadIdentityOptions): Date {
  return new Date(notBefore.getTime() + caBackdatingMs);
}
