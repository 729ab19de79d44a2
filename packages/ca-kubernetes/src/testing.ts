/** A signer of Kubernetes for tests: it signs approved requests of its name through the status subresource. */

import { randomBytes } from "node:crypto";
import { type CertificateSigningRequest, type KubernetesApi, mirror, resources } from "@signet/kubernetes";
import { type Clock, createSource, type Publisher, type Random, type Source, type Task } from "@signet/runtime";
import {
  type Certificate,
  certificatePem,
  encodePem,
  generateKeyPair,
  parseCertificate,
  parseCsr,
  randomSerialNumber,
  signLeafAsync,
} from "@signet/x509";
import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";

export { type RecordedEvent, type RecordedEvents, recordEvents } from "./testing/record-events.ts";

/** What a test signer does with a request that was approved. */
export type TestSignerMood =
  /** Signs what the CSR asks for, for `expirationSeconds` (a day unless asked), and answers leaf, intermediate and root. */
  | { readonly kind: "sign" }
  /** Signs, with these certificates behind the leaf. */
  | { readonly kind: "chain"; readonly above: readonly Certificate[] }
  /** Signs another key than the CSR's. */
  | { readonly kind: "other-key" }
  /** Signs for less time than asked for. */
  | { readonly kind: "shorten"; readonly seconds: number }
  /** Sets the condition Failed. */
  | { readonly kind: "fail" }
  /** Does nothing, until it is in another mood. */
  | { readonly kind: "ignore" };

/** A signer and its CA. */
export interface TestSigner {
  /** Run it for as long as it is to sign. */
  readonly task: Task;
  readonly root: TestCa;
  readonly intermediate: TestCa;
  /** What it has been asked for, denied and unapproved ones included, in order. */
  readonly seen: readonly CertificateSigningRequest[];
  /** From now on approved requests get this; "sign" at first. */
  setMood(mood: TestSignerMood | ((request: CertificateSigningRequest) => TestSignerMood)): void;
  /** Answers that the API server did not take: the object was deleted meanwhile, mostly. */
  readonly failures: readonly unknown[];
  /** Signs with this intermediate from now on. */
  replaceCa(root: TestCa, intermediate: TestCa): void;
}

/** Who signs, and where. */
export type TestSignerOptions = {
  readonly api: KubernetesApi;
  readonly signerName: string;
  readonly clock: Clock;
  readonly random: Random;
};

/**
 * Returns a signer over a fresh root and intermediate. It copies the names of the CSR, as real signers do, and approves
 * nothing.
 * @example
 * ```ts
 * import { createTestSigner } from "@signet/ca-kubernetes/testing";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * import { systemClock } from "@signet/runtime";
 * export async function runSigner(api: KubernetesApi, signal: AbortSignal) {
 *   const signer = await createTestSigner({ api, signerName: "example.com/mesh", clock: systemClock, random: Math.random });
 *   await signer.task.run(signal);
 * }
 * ```
 */
export async function createTestSigner(options: TestSignerOptions): Promise<TestSigner> {
  const root = await testRoot({ trustDomain: `root of ${options.signerName}` });
  const intermediate = await testIntermediate(root, { organization: options.signerName });
  return new ApprovedRequestSigner(options, { root, intermediate });
}

class ApprovedRequestSigner implements TestSigner {
  readonly task: Task;
  readonly seen: CertificateSigningRequest[] = [];
  readonly failures: unknown[] = [];
  readonly #options: TestSignerOptions;
  readonly #answered = new Set<string>();
  #ca: { readonly root: TestCa; readonly intermediate: TestCa };
  readonly #moods: Publisher<(request: CertificateSigningRequest) => TestSignerMood> = createSource(
    (_request: CertificateSigningRequest): TestSignerMood => ({ kind: "sign" }),
  );

  constructor(options: TestSignerOptions, ca: { readonly root: TestCa; readonly intermediate: TestCa }) {
    this.#options = options;
    this.#ca = ca;
    this.task = { name: `signer ${options.signerName}`, run: (signal) => this.#run(signal) };
  }

  get root(): TestCa {
    return this.#ca.root;
  }

  get intermediate(): TestCa {
    return this.#ca.intermediate;
  }

  setMood(mood: TestSignerMood | ((request: CertificateSigningRequest) => TestSignerMood)): void {
    this.#moods.publish(typeof mood === "function" ? mood : () => mood);
  }

  replaceCa(root: TestCa, intermediate: TestCa): void {
    this.#ca = { root, intermediate };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { api, clock, random } = this.#options;
    const resource = resources.certificateSigningRequests;
    const pick = (request: CertificateSigningRequest): CertificateSigningRequest => request;
    const requests = mirror(api, { resource, query: {}, pick }, { clock, random });
    const answerAll = async (when: Source<unknown>): Promise<void> => {
      for await (const _ of when.changes(signal)) {
        await Promise.all([...requests.values()].map((request) => this.#answer(request, signal)));
      }
    };
    await Promise.all([requests.task.run(signal), answerAll(requests.changes), answerAll(this.#moods)]);
  }

  async #answer(request: CertificateSigningRequest, signal: AbortSignal): Promise<void> {
    const { spec, metadata, status } = request;
    if (spec.signerName !== this.#options.signerName) return;
    if (!this.seen.some((each) => each.metadata.uid === metadata.uid)) this.seen.push(request);
    const conditions = status?.conditions ?? [];
    const isApproved = conditions.some(({ type }) => type === "Approved");
    if (!isApproved || this.#answered.has(metadata.uid ?? "")) return;
    const mood = this.#moods.current()?.(request) ?? { kind: "sign" };
    if (mood.kind === "ignore") return;
    this.#answered.add(metadata.uid ?? "");
    const failed = { type: "Failed", status: "True", reason: "TestSigner", message: "told to fail" };
    const answer =
      mood.kind === "fail"
        ? { conditions: [...conditions, failed] }
        : { conditions, certificate: Buffer.from(await this.#chainPem(request, mood)).toString("base64") };
    const target = { resource: resources.certificateSigningRequests, subresource: "status" } as const;
    await this.#options.api
      .replaceSubresource(target, { ...request, status: answer }, signal)
      .catch((error: unknown) => this.failures.push(error));
  }

  async #chainPem(
    { spec }: CertificateSigningRequest,
    mood: Exclude<TestSignerMood, { readonly kind: "fail" | "ignore" }>,
  ): Promise<string> {
    const csr = parseCsr(Buffer.from(spec.request, "base64").toString("latin1"));
    const spki = mood.kind === "other-key" ? (await generateKeyPair("P-256")).spki : csr.spki;
    const seconds = mood.kind === "shorten" ? mood.seconds : (spec.expirationSeconds ?? 86_400);
    const nowMs = Math.floor(this.#options.clock.now().getTime() / 1000) * 1000;
    const leaf = await signLeafAsync({
      // Dated back as the signers of kube-controller-manager do.
      template: {
        spki,
        subjectAltNames: csr.requestedSubjectAltNames,
        notBefore: new Date(nowMs - 300_000),
        notAfter: new Date(nowMs + seconds * 1000),
      },
      issuer: this.#ca.intermediate,
      serialNumber: randomSerialNumber(randomBytes),
    });
    const above = mood.kind === "chain" ? mood.above : [this.#ca.intermediate.certificate, this.#ca.root.certificate];
    return encodePem("CERTIFICATE", parseCertificate(leaf).der) + above.map(certificatePem).join("");
  }
}
