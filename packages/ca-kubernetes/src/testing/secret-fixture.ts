import { randomBytes } from "node:crypto";
import { type KubernetesApi, resources, type Secret } from "@signet/kubernetes";
import { type FakeCluster, fakeKubernetes } from "@signet/kubernetes/testing";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import { openSelfSignedSecretCa, type SelfSignedSecretCaOptions } from "../open-self-signed-secret-ca.ts";
import type { SecretCa } from "../secret-ca.ts";
import { drive, driveUntil } from "./drive.ts";
import { type RecordedEvents, recordEvents } from "./record-events.ts";

/** A cluster in memory with Istio's namespace, and a clock that the test moves. */
export type TestCluster = { readonly clock: FakeClock; readonly api: KubernetesApi; readonly cluster: FakeCluster };

/** A CA server that is starting. */
export type Replica = {
  readonly events: RecordedEvents;
  readonly opening: Promise<SecretCa>;
  abort(reason: Error): void;
};

/** A CA that follows its Secret. */
export type RunningCa = SecretCa & { readonly events: RecordedEvents };

export const place = { namespace: "istio-system", name: "istio-ca-secret" } as const;
export const trustDomain: TrustDomain = parseTrustDomain("cluster.local");

const stop: AbortController[] = [];

/** Ends whatever was made; for `afterEach`. */
export function endAll(): void {
  for (const controller of stop.splice(0)) controller.abort();
}

export function newCluster(clock: FakeClock = new FakeClock(new Date("2026-11-22T12:00:00Z"))): TestCluster {
  const { api, cluster } = fakeKubernetes({ clock });
  cluster.put(resources.namespaces, { metadata: { name: place.namespace } });
  return { clock, api, cluster };
}

export function replica(test: TestCluster, options: Partial<SelfSignedSecretCaOptions> = {}): Replica {
  const { signal: _, ...started } = start(test, options);
  return started;
}

/** Opens the CA and follows its Secret. */
export async function running(test: TestCluster): Promise<RunningCa> {
  const { events, signal, opening } = start(test, {});
  const ca = await drive(test.clock, opening);
  const watchesBefore = test.cluster.watchCount;
  ca.task.run(signal).catch(() => {});
  await driveUntil(test.clock, () => test.cluster.watchCount > watchesBefore);
  events.clear();
  return { ...ca, events };
}

function start(
  { clock, api }: TestCluster,
  options: Partial<SelfSignedSecretCaOptions>,
): Replica & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  stop.push(controller);
  const { signal } = controller;
  const events = recordEvents();
  const root = { trustDomain, keyType: "P-256", ttlMs: 315_360_000_000 } as const;
  const dependencies = { clock, random: seededRandom(1), randomBytes, events };
  const opening = openSelfSignedSecretCa({ api, ...place, ...root, ...options }, dependencies, signal);
  return { events, signal, opening, abort: (reason) => controller.abort(reason) };
}

export function rootOf({ signingCa }: Pick<SecretCa, "signingCa">): string | undefined {
  return signingCa.trustBundle.current()?.pem;
}

/** A file of a Secret as text; empty when it is missing. */
export function secretFile(secret: Secret | undefined, name: string): string {
  return Buffer.from(secret?.data?.[name] ?? "", "base64").toString();
}
