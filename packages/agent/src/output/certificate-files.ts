import { type Clock, createBackoff, type Random, type Source, type Task } from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { certificatePem, privateKeyPem } from "@signet/x509";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import type { PrivateKeyFormat } from "../sds/envoy-secret.ts";
import { type ReloadHook, runReloadHook } from "./reload-hook.ts";
import { writeFileSet } from "./write-file-set.ts";

export type CertificateFilesOptions = {
  readonly identity: Source<WorkloadIdentity>;
  readonly directory: string;
  readonly groupId?: number;
  readonly keyFormat: PrivateKeyFormat;
  readonly hook?: ReloadHook;
};

/** What happens to the files, for logs, metrics and health. */
export interface CertificateFilesEvents {
  written(event: { readonly directory: string }): void;
  /** The set that was there is still there; tried again in `retryInMs`. */
  failed(event: { readonly directory: string; readonly error: unknown; readonly retryInMs: number }): void;
  /** The program was not told, though the files are new; tried again in `retryInMs`. */
  reloadFailed(event: { readonly error: unknown; readonly retryInMs: number }): void;
  reloaded(): void;
}

export type CertificateFilesDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: CertificateFilesEvents;
};

/** The names of istio-agent's files. */
export const outputFileNames = { key: "key.pem", chain: "cert-chain.pem", root: "root-cert.pem" } as const;

const retry = { initialMs: 500, maxMs: 30_000, minMs: 100 } as const;

/**
 * The task that keeps the identity in files, whether or not anyone listens on a socket: every identity is written as one set,
 * and then the program that reads it is told. What fails is tried again until it succeeds or there is something newer.
 */
export function createCertificateFiles(
  options: CertificateFilesOptions,
  dependencies: CertificateFilesDependencies,
): Task {
  return {
    name: "write certificate files",
    async run(signal) {
      for await (const identity of options.identity.changes(signal)) {
        const isNewest = (): boolean => options.identity.current() === identity;
        await keepTrying((until) => write(identity, options, { dependencies, isNewest }, until), signal);
      }
    },
  };
}

type Attempt = { readonly dependencies: CertificateFilesDependencies; readonly isNewest: () => boolean };

/** An abort is no failure of the task. */
async function keepTrying(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function write(
  identity: WorkloadIdentity,
  options: CertificateFilesOptions,
  { dependencies, isNewest }: Attempt,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, events } = dependencies;
  const { directory, hook } = options;
  const backoff = createBackoff(retry, random);
  let isWritten = false;
  while (isNewest()) {
    signal.throwIfAborted();
    try {
      if (!isWritten) {
        await writeFileSet(fileSetOf(identity, options));
        isWritten = true;
        events.written({ directory });
        backoff.reset();
      }
      if (hook === undefined) return;
      await runReloadHook(hook, clock, signal);
      return events.reloaded();
    } catch (error) {
      signal.throwIfAborted();
      const retryInMs = backoff.nextMs();
      if (isWritten) events.reloadFailed({ error, retryInMs });
      else events.failed({ directory, error, retryInMs });
      await sleepUnlessNewer({ clock, ms: retryInMs }, { source: options.identity, identity }, signal);
    }
  }
}

/** Sleeps, but no longer than until there is another identity: that one must not wait for the failures of its predecessor. */
async function sleepUnlessNewer(
  { clock, ms }: { readonly clock: Clock; readonly ms: number },
  { source, identity }: { readonly source: Source<WorkloadIdentity>; readonly identity: WorkloadIdentity },
  signal: AbortSignal,
): Promise<void> {
  const awake = new AbortController();
  const until = AbortSignal.any([signal, awake.signal]);
  const newer = async (): Promise<void> => {
    for await (const each of source.changes(until)) if (each !== identity) return;
  };
  try {
    await Promise.race([clock.sleep(ms, until), newer()]);
  } finally {
    awake.abort();
  }
}

function fileSetOf(
  { svid, trustBundles }: WorkloadIdentity,
  { directory, groupId, keyFormat }: CertificateFilesOptions,
): Parameters<typeof writeFileSet>[0] {
  const authorities = trustBundles.get(trustDomainOf(svid.spiffeId))?.authorities ?? [];
  return {
    directory,
    files: {
      [outputFileNames.key]: privateKeyPem(svid.key, keyFormat),
      [outputFileNames.chain]: svid.chain.map(certificatePem).join(""),
      [outputFileNames.root]: authorities.map(certificatePem).join(""),
    },
    ...(groupId !== undefined && { groupId }),
  };
}
