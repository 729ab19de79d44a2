import { createRootPublisher, type RootPublisherEvents } from "@signet/ca-kubernetes";
import type { KubernetesApi } from "@signet/kubernetes";
import { type Clock, createSource, type Random, type Source, type Task } from "@signet/runtime";
import { certificatePem, parseTrustBundle, type TrustBundle, trustBundlesEqual } from "@signet/x509";
import type { CaServerSettings } from "../settings.ts";

/** What is published to the namespaces of our cluster. */
export type PublishedRoots = {
  /** Of the workloads' certificates. */
  readonly trustBundle: Source<TrustBundle>;
  /** Of the server's own certificate; proxies verify it by what is published. */
  readonly servingRoots: Source<TrustBundle>;
  readonly revocationLists: Source<string> | undefined;
  /** Whether the workloads' roots may never be known, because each caller names a signer of its own. */
  readonly rootsByCaller?: boolean;
};

/** What publishing needs. */
export type PublishingDependencies = {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: RootPublisherEvents;
};

/** Returns the tasks that keep the roots in the ConfigMap of every namespace, and the revocation lists in theirs. */
export function publishRoots(
  { signing }: Pick<CaServerSettings, "signing">,
  { trustBundle, servingRoots, revocationLists, rootsByCaller = false }: PublishedRoots,
  { api, ...dependencies }: PublishingDependencies,
): readonly Task[] {
  const { rootConfigMap, crlConfigMap, watchNamespaces } = signing.kubernetes;
  const joined = joinTrustBundles(trustBundle, servingRoots, { needsFirst: !rootsByCaller });
  const publisher = createRootPublisher(
    {
      ...{ api, trustBundle: joined.trustBundle, rootConfigMap, crlConfigMap, watchNamespaces },
      ...(revocationLists !== undefined && { revocationLists }),
    },
    dependencies,
  );
  return [joined.task, publisher.task];
}

/**
 * Returns the authorities of both bundles as one, for as long as the task runs: the text of the first, and after it each
 * certificate that only the second has. Where the first is needed nothing is published before it is known: a bundle
 * without it would take the workloads' roots away.
 */
export function joinTrustBundles(
  first: Source<TrustBundle>,
  second: Source<TrustBundle>,
  { needsFirst }: { readonly needsFirst: boolean },
): { readonly trustBundle: Source<TrustBundle>; readonly task: Task } {
  const joined = createSource<TrustBundle>();

  function update(): void {
    const [main, further] = [first.current(), second.current()];
    if (main === undefined && needsFirst) return;
    const union = main === undefined || further === undefined ? (main ?? further) : join(main, further);
    if (union === undefined) return;
    const before = joined.current();
    if (before === undefined || before.pem !== union.pem || !trustBundlesEqual(before, union)) joined.publish(union);
  }

  async function follow(source: Source<TrustBundle>, signal: AbortSignal): Promise<void> {
    for await (const _ of source.changes(signal)) update();
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    await Promise.all([follow(first, signal), follow(second, signal)]);
  };
  return { trustBundle: joined, task: { name: "roots to publish", run } };
}

function join(first: TrustBundle, second: TrustBundle): TrustBundle {
  const known = new Set(first.authorities.map(({ der }) => der.toHex()));
  const added = second.authorities.filter(({ der }) => !known.has(der.toHex()));
  if (added.length === 0) return first;
  const separator = first.pem.endsWith("\n") ? "" : "\n";
  return parseTrustBundle(first.pem + separator + added.map((certificate) => certificatePem(certificate)).join(""));
}
