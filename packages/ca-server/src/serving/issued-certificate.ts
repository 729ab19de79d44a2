import {
  CaError,
  type ServingCertificate as IssuedCertificate,
  issueServingCertificate,
  type SigningCa,
} from "@signet/ca";
import {
  type Clock,
  createBackoff,
  createSource,
  type Logger,
  mapSource,
  type Random,
  type Source,
  sleepUntil,
} from "@signet/runtime";
import { certificatePem, privateKeyPem, serialNumberHex, type TrustBundle, trustBundlesEqual } from "@signet/x509";
import { logEvent } from "../log-events.ts";
import type { ServingCertificate, ServingPem } from "./serving-certificate.ts";
import type { ServingNames } from "./serving-names.ts";

/** What keeping a serving certificate needs. */
export type IssuedCertificateDependencies = {
  readonly servingCa: SigningCa;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/** Istiod's lives for ten years and is never renewed on time; a day is as long as a workload's. */
const ttlMs = 24 * 3_600_000;
/** Half of a lifetime that is nearly over is no pause at all. */
const leastPauseMs = 5_000;
const retry = { initialMs: 1_000, maxMs: 60_000, minMs: 500 };

/**
 * Issues the server's certificate from a CA and keeps it fresh: at half of its lifetime, and when the trust bundle
 * changes.
 *
 * The old certificate is served until the new one is in hand; a renewal that fails is tried again with backoff. So is
 * the first one where the CA is not there yet or is somewhere else.
 * @throws CaError when a CA of this process cannot issue even the first one: then a server must not start
 */
export async function keepIssuedCertificate(
  names: ServingNames,
  dependencies: IssuedCertificateDependencies,
  signal: AbortSignal,
): Promise<ServingCertificate> {
  let current = await issueFirst(names, dependencies, signal);
  const published = createSource(current);
  return {
    pem: mapSource(published, toPem),
    notAfter: () => current?.notAfter,
    roots: dependencies.servingCa.trustBundle,
    task: {
      name: "serving certificate",
      async run(taskSignal): Promise<void> {
        while (!taskSignal.aborted) {
          if (current !== undefined) await untilDue(current, dependencies, taskSignal);
          current = await issueAtLast(names, { ...dependencies, expiring: current?.notAfter }, taskSignal);
          published.publish(current);
        }
      },
    },
  };
}

/** Undefined where the first one has to be waited for. */
async function issueFirst(
  names: ServingNames,
  dependencies: IssuedCertificateDependencies,
  signal: AbortSignal,
): Promise<IssuedCertificate | undefined> {
  const { servingCa } = dependencies;
  try {
    return await issue(names, dependencies, signal);
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    if (servingCa.keyIsLocal && error.code !== "ca-not-ready") throw error;
    return undefined;
  }
}

async function issue(
  { dnsNames, ipAddresses }: ServingNames,
  { servingCa, clock, logger }: IssuedCertificateDependencies,
  signal: AbortSignal,
): Promise<IssuedCertificate> {
  const issued = await issueServingCertificate(
    { dnsNames, ipAddresses, ttlMs },
    { signingCa: servingCa, clock },
    signal,
  );
  logEvent(logger, "serving certificate issued", {
    names: issued.chain[0].subjectAltNames.map((name) => ("value" in name ? name.value : name.kind)),
    serialNumber: serialNumberHex(issued.chain[0]),
    notAfter: issued.notAfter,
  });
  return issued;
}

async function issueAtLast(
  names: ServingNames,
  dependencies: IssuedCertificateDependencies & { readonly expiring: Date | undefined },
  signal: AbortSignal,
): Promise<IssuedCertificate> {
  const backoff = createBackoff(retry, dependencies.random);
  for (;;) {
    const known = dependencies.servingCa.trustBundle.current();
    try {
      return await issue(names, dependencies, signal);
    } catch (error) {
      signal.throwIfAborted();
      const retryMs = backoff.nextMs();
      const notAfter = dependencies.expiring;
      logEvent(dependencies.logger, "serving certificate renewal failed", { error, retryMs, notAfter });
      await untilOtherRootsOr(known, { ...dependencies, ms: retryMs }, signal);
    }
  }
}

/** Resolves at `renewAt`, or as soon as the CA has other roots than when the certificate was issued. */
async function untilDue(
  { renewAt, trustBundle }: IssuedCertificate,
  { servingCa, clock }: IssuedCertificateDependencies,
  signal: AbortSignal,
): Promise<void> {
  const due = new Date(Math.max(renewAt.getTime(), clock.now().getTime() + leastPauseMs));
  const either = (within: AbortSignal) => [
    sleepUntil(clock, due, {}, within),
    untilOtherRoots(servingCa.trustBundle, trustBundle, within),
  ];
  await first(either, signal);
}

/** Resolves after `ms`, or as soon as the CA has other roots: one that has just come can sign at once. */
async function untilOtherRootsOr(
  known: TrustBundle | undefined,
  { servingCa, clock, ms }: Pick<IssuedCertificateDependencies, "servingCa" | "clock"> & { readonly ms: number },
  signal: AbortSignal,
): Promise<void> {
  const either = (within: AbortSignal) => [
    clock.sleep(ms, within),
    untilOtherRoots(servingCa.trustBundle, known, within),
  ];
  await first(either, signal);
}

/** Resolves with the first of what `begin` begins, and ends the others. */
async function first(begin: (signal: AbortSignal) => readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  const settled = new AbortController();
  try {
    await Promise.race(begin(AbortSignal.any([signal, settled.signal])));
  } finally {
    settled.abort();
  }
  signal.throwIfAborted();
}

async function untilOtherRoots(
  source: Source<TrustBundle>,
  known: TrustBundle | undefined,
  signal: AbortSignal,
): Promise<void> {
  for await (const bundle of source.changes(signal)) {
    if (known === undefined || !trustBundlesEqual(bundle, known)) return;
  }
}

function toPem({ chain, key }: IssuedCertificate): ServingPem {
  return {
    certificateChainPem: chain.map((certificate) => certificatePem(certificate)).join(""),
    privateKeyPem: privateKeyPem(key, "pkcs8"),
  };
}
