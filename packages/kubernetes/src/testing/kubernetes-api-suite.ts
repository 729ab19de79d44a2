import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { errorCode } from "@signet/runtime";
import type { KubernetesErrorCode } from "../errors.ts";
import type { KubernetesApi } from "../kubernetes-api.ts";
import type { ClusterLimits } from "../kubernetes-client.ts";
import { resources } from "../resources.ts";
import { objectTests } from "./suite-objects.ts";
import { podTests } from "./suite-pods.ts";
import { signingRequestTests } from "./suite-signing-requests.ts";
import { tokenTests } from "./suite-tokens.ts";
import { watchTests } from "./suite-watches.ts";

/** The functions of a test runner; passed in, so that the fakes beside this suite can be used without one. */
export type SuiteTools = {
  describe(name: string, declareTests: () => void): unknown;
  it(name: string, test: () => Promise<void>): unknown;
};

/** One way to an API server. */
export type KubernetesApiSubject = {
  readonly name: string;
  /** As an administrator, on the system's clock. Called for each test, which closes it. */
  connect(limits?: ClusterLimits): Promise<KubernetesApi>;
};

/** What a test has: an API, a namespace of its own in it, and a signal that nobody aborts. */
export type SuiteTest = { readonly api: KubernetesApi; readonly namespace: string; readonly signal: AbortSignal };

/** Declares a test with its own namespace. */
export type SuiteIt = (name: string, test: (given: SuiteTest) => Promise<void>, limits?: ClusterLimits) => void;

/**
 * Declares how an API server behaves towards us, as tests of one way to it: the fakes pass it, and so does the real one.
 * @example
 * ```ts
 * import type { KubernetesApi } from "@signet/kubernetes";
 * import { kubernetesApiSuite, type SuiteTools } from "@signet/kubernetes/testing";
 * export function testMyCluster(tools: SuiteTools, connect: () => Promise<KubernetesApi>) {
 *   kubernetesApiSuite(tools, { name: "my cluster", connect });
 * }
 * ```
 */
export function kubernetesApiSuite(tools: SuiteTools, subject: KubernetesApiSubject): void {
  const it: SuiteIt = (name, test, limits) => {
    tools.it(name, async () => {
      const api = await subject.connect(limits);
      const { signal } = new AbortController();
      try {
        const namespace = uniqueName("suite");
        await api.create(resources.namespaces, { metadata: { name: namespace } }, signal);
        await test({ api, namespace, signal });
      } finally {
        api.close();
      }
    });
  };
  tools.describe(`${subject.name} as an API server`, () => {
    objectTests(it);
    watchTests(it);
    podTests(it);
    signingRequestTests(it);
    tokenTests(it);
  });
}

/** A name that nothing else has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}

/** Fails unless the call fails with that code. */
export async function assertFails(call: Promise<unknown>, code: KubernetesErrorCode): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.equal(errorCode(error), code, String(error));
    return true;
  });
}

/** Waits until `probe` answers something, which the real server may need a moment for. */
export async function eventually<T>(probe: () => Promise<T | undefined>): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    const result = await probe();
    if (result !== undefined) return result;
    assert.ok(performance.now() - startedAt < 20_000, "not within 20 seconds");
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}
