import { type ConfigMap, type KubernetesApi, resources } from "@signet/kubernetes";
import { type FakeCluster, type FakeRequest, fakeKubernetes } from "@signet/kubernetes/testing";
import { createSource, type Publisher } from "@signet/runtime";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseTrustBundle, type TrustBundle } from "@signet/x509";
import { type TestCa, testRoot } from "@signet/x509/testing";
import { createRootPublisher, type RootPublisher } from "../root-publisher.ts";
import type { RootPublisherOptions } from "../root-publishing.ts";
import { driveUntil } from "./drive.ts";
import { type RecordedEvents, recordEvents } from "./record-events.ts";

/** A cluster in memory, and a clock that the test moves. */
export type TestCluster = { readonly clock: FakeClock; readonly api: KubernetesApi; readonly cluster: FakeCluster };

/** One replica that publishes. */
export type Replica = RootPublisher & {
  readonly events: RecordedEvents;
  readonly trustBundle: Publisher<TrustBundle>;
};

export const rootConfigMap = "istio-ca-root-cert";
export const crlConfigMap = "istio-ca-crl";
export const root: TestCa = await testRoot();
export const nextRoot: TestCa = await testRoot({ trustDomain: "next" });

const stop: AbortController[] = [];

/** Ends whatever was made; for `afterEach`. */
export function endAll(): void {
  for (const controller of stop.splice(0)) controller.abort();
}

/** A cluster with the namespaces of Kubernetes itself, and those named. */
export function newCluster(names: readonly string[] = []): TestCluster {
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  const { api, cluster } = fakeKubernetes({ clock });
  for (const name of names) cluster.put(resources.namespaces, { metadata: { name } });
  return { clock, api, cluster };
}

/** A publisher that runs; of another seed, it looks at changes at other instants. */
export function replica(test: TestCluster, options: Partial<RootPublisherOptions> = {}, seed = 1): Replica {
  const controller = new AbortController();
  stop.push(controller);
  const events = recordEvents();
  const trustBundle: Publisher<TrustBundle> = createSource(parseTrustBundle(root.pem));
  const all = { api: test.api, trustBundle, rootConfigMap, crlConfigMap, ...options };
  const publisher = createRootPublisher(all, { clock: test.clock, random: seededRandom(seed), events });
  publisher.task.run(controller.signal).catch(() => {});
  return { ...publisher, events, trustBundle };
}

export function rootIn(
  { cluster }: TestCluster,
  namespace: string,
  name: string = rootConfigMap,
): ConfigMap | undefined {
  return cluster.get(resources.configMaps, { namespace, name });
}

export function textIn(test: TestCluster, namespace: string): string | undefined {
  return rootIn(test, namespace)?.data?.["root-cert.pem"];
}

/** The namespaces that have the ConfigMap. */
export function placesOf({ cluster }: TestCluster, name: string = rootConfigMap): readonly (string | undefined)[] {
  return cluster
    .all(resources.configMaps)
    .filter(({ metadata }) => metadata.name === name)
    .map(({ metadata }) => metadata.namespace);
}

export function isWrite({ method }: FakeRequest): boolean {
  return method !== "GET";
}

export function writesOf({ requests }: FakeCluster): number {
  return requests.filter(isWrite).length;
}

/** Resolves when the publisher has nothing left to do. */
export async function settled(test: TestCluster, { status }: RootPublisher): Promise<void> {
  await driveUntil(test.clock, () => status().namespaces > 0 && status().pending === 0);
  await test.clock.advance(2_000);
}
