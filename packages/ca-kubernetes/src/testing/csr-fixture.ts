import { randomBytes } from "node:crypto";
import { buildSvidTemplate, type SigningRequest } from "@signet/ca";
import { type KubernetesApi, resources } from "@signet/kubernetes";
import { type FakeCluster, type FakeRequest, fakeKubernetes } from "@signet/kubernetes/testing";
import type { Clock } from "@signet/runtime";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "@signet/spiffe";
import { type CertificateChain, createCsr, generateKeyPair, type KeyPair, parseCsr } from "@signet/x509";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { type CsrSigningCa, type CsrSigningCaOptions, createCsrSigningCa } from "../csr-signing-ca.ts";
import { createTestSigner, type TestSigner, type TestSignerMood } from "../testing.ts";
import { driveUntil } from "./drive.ts";
import { type RecordedEvents, recordEvents } from "./record-events.ts";

/** A CA that has a test signer sign, on a cluster in memory. */
export type TestCsrCa = {
  readonly ca: CsrSigningCa;
  readonly api: KubernetesApi;
  readonly signer: TestSigner;
  readonly cluster: FakeCluster;
  readonly events: RecordedEvents;
  /** The CA's task; undefined when it is left alone. */
  readonly running: Promise<void> | undefined;
  end(): void;
};

/** The same, with a clock that the test moves. */
export type ClockedCsrCa = TestCsrCa & { readonly clock: FakeClock };

/** `noDefault`: without a signer for callers that name none; `quiet`: the CA's task is left alone. */
export type TestCsrCaOptions = Partial<CsrSigningCaOptions> & { readonly noDefault?: true; readonly quiet?: true };

export const signerName = "example.com/mesh";
export const spiffeId: SpiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
export const key: KeyPair = await generateKeyPair("P-256");

const never = new AbortController().signal;
const stop: AbortController[] = [];

/** Ends whatever was made; for `afterEach`. */
export function endAll(): void {
  for (const controller of stop.splice(0)) controller.abort();
}

export async function newCa(options: TestCsrCaOptions = {}): Promise<ClockedCsrCa> {
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  return { ...(await newCaBy(clock, options)), clock };
}

export async function newCaBy(clock: Clock, options: TestCsrCaOptions = {}): Promise<TestCsrCa> {
  const controller = new AbortController();
  stop.push(controller);
  const { noDefault, quiet, ...more } = options;
  const { api, cluster } = fakeKubernetes({ clock });
  const random = seededRandom(1);
  const signer = await createTestSigner({ api, signerName, clock, random });
  signer.task.run(controller.signal).catch(() => {});
  const events = recordEvents();
  const trustDomain = parseTrustDomain("cluster.local");
  const all = { api, trustDomain, ...(noDefault ? {} : { signerName }), ...more };
  const ca = createCsrSigningCa(all, { clock, random, randomBytes, events });
  const running = quiet ? undefined : ca.task.run(controller.signal).catch(() => {});
  return { ca, api, signer, cluster, events, running, end: () => controller.abort() };
}

/** One that knows the signer's root from its root file, and has asked for nothing yet. */
export async function pinnedCa(mood: TestSignerMood = { kind: "sign" }): Promise<ClockedCsrCa> {
  const root = await testRoot();
  const made = await newCa({ rootPem: root.pem, quiet: true });
  made.signer.replaceCa(root, await testIntermediate(root));
  made.signer.setMood(mood);
  return made;
}

/** One that has learned the signer's root. */
export async function readyCa(options: TestCsrCaOptions = {}): Promise<ClockedCsrCa> {
  const made = await newCa(options);
  await driveUntil(made.clock, () => made.ca.health.current()?.state === "good");
  return made;
}

export function requestOf({ clock }: Pick<ClockedCsrCa, "clock">, seconds = 3_600): SigningRequest {
  const csr = parseCsr(createCsr({ key, spiffeId }));
  const now = clock.now().getTime();
  const lifetime = { notBefore: new Date(now - 120_000), notAfter: new Date(now + seconds * 1_000) };
  return { csr, template: buildSvidTemplate({ csr, spiffeId, lifetime }) };
}

export function sign(test: ClockedCsrCa, signal: AbortSignal = never): Promise<CertificateChain> {
  return test.ca.sign(requestOf(test), signal);
}

/** How many requests there are. */
export function leftIn({ cluster }: Pick<TestCsrCa, "cluster">): number {
  return cluster.all(resources.certificateSigningRequests).length;
}

export async function expectNothingLeft(test: Pick<ClockedCsrCa, "cluster" | "clock">): Promise<void> {
  await driveUntil(test.clock, () => leftIn(test) === 0);
}

export function isCreation({ method, path }: FakeRequest): boolean {
  return method === "POST" && path.endsWith("/certificatesigningrequests");
}

export function deletionsOf(cluster: FakeCluster): number {
  return cluster.requests.filter(({ method }) => method === "DELETE").length;
}

export function approvalsOf(cluster: FakeCluster): number {
  return cluster.requests.filter(({ path }) => path.endsWith("/approval")).length;
}

/** How long it has been since, in milliseconds. */
export function stopwatch({ clock }: Pick<ClockedCsrCa, "clock">): () => number {
  const startedAt = clock.now().getTime();
  return () => clock.now().getTime() - startedAt;
}
