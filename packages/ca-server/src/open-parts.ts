import { connectCluster, type KubernetesApi } from "@signet/kubernetes";
import type { Clock, Logger, Metrics, Random, Task } from "@signet/runtime";
import { type OpenedClusters, openClusters } from "./clusters/open-clusters.ts";
import { openSigningCa } from "./open-signing-ca.ts";
import { followCertificateFiles } from "./serving/certificate-files.ts";
import { keepIssuedCertificate } from "./serving/issued-certificate.ts";
import type { ServingCertificate } from "./serving/serving-certificate.ts";
import type { CaServerSettings } from "./settings.ts";
import type { Opened } from "./shutdown.ts";
import type { OpenedSigningCa } from "./signing/opened-signing-ca.ts";
import { publishRoots } from "./signing/publish-roots.ts";
import { createSigningEvents, type SigningEvents } from "./signing/signing-events.ts";
import { createSigningMetrics } from "./signing/signing-metrics.ts";

/** What a CA server is made of before it answers anybody. */
export type OpenedParts = {
  readonly signing: OpenedSigningCa;
  readonly certificate: ServingCertificate;
  /** Absent where there is no Kubernetes API. */
  readonly clusters?: OpenedClusters;
  /** What has to run for them. */
  readonly tasks: readonly Task[];
};

type PartsDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly logger: Logger;
  readonly registry: Metrics;
};

/**
 * Opens the way to the Kubernetes API, what signs, and the server's own certificate, and notes in `opened` what has to
 * be closed. None of those elsewhere need be there yet.
 */
export async function openParts(
  settings: CaServerSettings,
  dependencies: PartsDependencies,
  opened: Opened,
): Promise<OpenedParts> {
  const { logger, registry } = dependencies;
  const api = await connectKubernetes(settings, dependencies, opened);
  const events = createSigningEvents(logger, createSigningMetrics(registry));
  const signing = await openSigningCa(settings, { ...dependencies, events, ...(api !== undefined && { api }) });
  opened.signing = signing;
  const certificate = await openCertificate(settings, { ...dependencies, signing }, opened.background.signal);
  const tasks = [...signing.tasks, certificate.task];
  const { kubernetes } = settings;
  if (api === undefined || kubernetes === undefined) return { signing, certificate, tasks };
  const clusters = openClusters({ ...settings, kubernetes }, api, dependencies);
  const publishing = kubernetes.publishRoots
    ? publish(settings, { signing, certificate }, { ...dependencies, api, events })
    : [];
  return { signing, certificate, clusters, tasks: [...tasks, ...clusters.tasks, ...publishing] };
}

async function connectKubernetes(
  { kubernetes }: CaServerSettings,
  { clock }: PartsDependencies,
  opened: Opened,
): Promise<KubernetesApi | undefined> {
  if (kubernetes === undefined) return undefined;
  opened.kubernetes = await connectCluster(kubernetes.source, { clock });
  return opened.kubernetes;
}

async function openCertificate(
  { servingFiles, servingNames }: CaServerSettings,
  { signing, ...dependencies }: PartsDependencies & { readonly signing: OpenedSigningCa },
  signal: AbortSignal,
): Promise<ServingCertificate> {
  if (servingFiles !== undefined) return await followCertificateFiles(servingFiles, dependencies);
  return await keepIssuedCertificate(servingNames, { ...dependencies, servingCa: signing.servingCa }, signal);
}

function publish(
  settings: CaServerSettings,
  { signing: { signingCa, rootsByCaller = false }, certificate }: Pick<OpenedParts, "signing" | "certificate">,
  { events, ...dependencies }: PartsDependencies & { readonly api: KubernetesApi; readonly events: SigningEvents },
): readonly Task[] {
  const { trustBundle, revocationLists } = signingCa;
  const roots = { trustBundle, servingRoots: certificate.roots, revocationLists, rootsByCaller };
  return publishRoots(settings, roots, { ...dependencies, events: events.publisher });
}
