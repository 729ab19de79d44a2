import { issueServingCertificate, type ServingCertificate, type SigningCa } from "@signet/ca";
import {
  type Clock,
  createBackoff,
  createSource,
  type Logger,
  mapSource,
  type Random,
  type Source,
  sleepUntil,
  type Task,
} from "@signet/runtime";
import { certificatePem, privateKeyPem, serialNumberHex, type TrustBundle, trustBundlesEqual } from "@signet/x509";
import { logEvent } from "./log-events.ts";
import type { ServingNames } from "./serving-names.ts";

/** Chain and key as a TLS server takes them. */
export type ServingPem = { readonly certificateChainPem: string; readonly privateKeyPem: string };

/** The server's own certificate, which follows its CA and its clock. */
export interface ServingCertificateKeeper {
  readonly pem: Source<ServingPem>;
  notAfter(): Date;
  /** Renews at half of the lifetime and when the trust bundle changes, for as long as it runs. */
  readonly task: Task;
}

/** What keeping a serving certificate needs. */
export type ServingCertificateDependencies = {
  readonly signingCa: SigningCa;
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
 * Issues the server's certificate from its own CA and keeps it fresh.
 *
 * The old certificate is served until the new one is in hand; a renewal that fails is tried again with backoff.
 * @throws CaError when even the first one cannot be issued: a server without a certificate must not start
 */
export async function keepServingCertificate(
  names: ServingNames,
  dependencies: ServingCertificateDependencies,
  signal: AbortSignal,
): Promise<ServingCertificateKeeper> {
  let current = await issue(names, dependencies, signal);
  const published = createSource(current);
  return {
    pem: mapSource(published, toPem),
    notAfter: () => current.notAfter,
    task: {
      name: "serving certificate",
      async run(taskSignal): Promise<void> {
        while (!taskSignal.aborted) {
          await untilDue(current, dependencies, taskSignal);
          current = await issueAtLast(names, { ...dependencies, expiring: current.notAfter }, taskSignal);
          published.publish(current);
        }
      },
    },
  };
}

async function issue(
  { dnsNames, ipAddresses }: ServingNames,
  { signingCa, clock, logger }: ServingCertificateDependencies,
  signal: AbortSignal,
): Promise<ServingCertificate> {
  const issued = await issueServingCertificate({ dnsNames, ipAddresses, ttlMs }, { signingCa, clock }, signal);
  logEvent(logger, "serving certificate issued", {
    names: issued.chain[0].subjectAltNames.map((name) => ("value" in name ? name.value : name.kind)),
    serialNumber: serialNumberHex(issued.chain[0]),
    notAfter: issued.notAfter,
  });
  return issued;
}

async function issueAtLast(
  names: ServingNames,
  dependencies: ServingCertificateDependencies & { readonly expiring: Date },
  signal: AbortSignal,
): Promise<ServingCertificate> {
  const backoff = createBackoff(retry, dependencies.random);
  for (;;) {
    try {
      return await issue(names, dependencies, signal);
    } catch (error) {
      signal.throwIfAborted();
      const retryMs = backoff.nextMs();
      const notAfter = dependencies.expiring;
      logEvent(dependencies.logger, "serving certificate renewal failed", { error, retryMs, notAfter });
      await dependencies.clock.sleep(retryMs, signal);
    }
  }
}

/** Resolves at `renewAt`, or as soon as the CA has other roots than when the certificate was issued. */
async function untilDue(
  { renewAt, trustBundle }: ServingCertificate,
  { signingCa, clock }: ServingCertificateDependencies,
  signal: AbortSignal,
): Promise<void> {
  const due = new Date(Math.max(renewAt.getTime(), clock.now().getTime() + leastPauseMs));
  const settled = new AbortController();
  const either = AbortSignal.any([signal, settled.signal]);
  try {
    await Promise.race([
      sleepUntil(clock, due, {}, either),
      untilOtherRoots(signingCa.trustBundle, trustBundle, either),
    ]);
  } finally {
    settled.abort();
  }
  signal.throwIfAborted();
}

async function untilOtherRoots(source: Source<TrustBundle>, known: TrustBundle, signal: AbortSignal): Promise<void> {
  for await (const bundle of source.changes(signal)) {
    if (!trustBundlesEqual(bundle, known)) return;
  }
}

function toPem({ chain, key }: ServingCertificate): ServingPem {
  return {
    certificateChainPem: chain.map((certificate) => certificatePem(certificate)).join(""),
    privateKeyPem: privateKeyPem(key, "pkcs8"),
  };
}
