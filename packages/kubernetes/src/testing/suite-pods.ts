import assert from "node:assert/strict";
import { type Pod, resources } from "../resources.ts";
import { assertFails, type SuiteIt, type SuiteTest } from "./kubernetes-api-suite.ts";

const { pods, serviceAccounts } = resources;

/** How pods come and go where no scheduler and no kubelet is. */
export function podTests(it: SuiteIt): void {
  it("makes a pod pending, and running when its status says so", async (given) => {
    const { api, namespace, signal } = given;
    const pod = await createPod(given, { nodeName: "node1" });
    assert.equal(pod.spec?.nodeName, "node1");
    assert.equal(pod.spec?.serviceAccountName, "frontend");
    assert.equal(pod.status?.phase, "Pending");
    const running = { ...pod, status: { ...pod.status, phase: "Running" } };
    const target = { resource: pods, subresource: "status" } as const;
    assert.equal((await api.replaceSubresource(target, running, signal)).status?.phase, "Running");
    const ofNode = await api.list(
      pods,
      { namespace, fieldSelector: "spec.nodeName=node1,status.phase!=Failed" },
      signal,
    );
    assert.deepEqual(
      ofNode.items.map((item) => item.metadata.uid),
      [pod.metadata.uid],
    );
    const failed = await api.list(pods, { namespace, fieldSelector: "status.phase=Failed" }, signal);
    assert.deepEqual(failed.items, []);
  });

  it("keeps a pod on a node until it is removed without grace", async (given) => {
    const { api, signal } = given;
    const { metadata } = await createPod(given, { nodeName: "node1" });
    await api.remove(pods, metadata, signal);
    const lingering = await api.read(pods, metadata, signal);
    assert.notEqual(lingering?.metadata.deletionTimestamp, undefined);
    await api.remove(pods, { ...metadata, graceSeconds: 0 }, signal);
    assert.equal(await api.read(pods, metadata, signal), undefined);
  });

  it("removes a pod without a node at once", async (given) => {
    const { api, signal } = given;
    const { metadata } = await createPod(given, {});
    await api.remove(pods, metadata, signal);
    assert.equal(await api.read(pods, metadata, signal), undefined);
  });

  it("refuses a pod without containers, and another node for one", async (given) => {
    const { api, namespace, signal } = given;
    await assertFails(api.create(pods, { metadata: { namespace, name: "b" }, spec: {} }, signal), "invalid");
    const pod = await createPod(given, { nodeName: "node1" });
    await assertFails(api.replace(pods, { ...pod, spec: { ...pod.spec, nodeName: "node2" } }, signal), "invalid");
  });
}

/** A pod of the service account "frontend", both new. */
export async function createPod(
  { api, namespace, signal }: SuiteTest,
  spec: { readonly nodeName?: string },
): Promise<Pod> {
  await api.create(serviceAccounts, { metadata: { namespace, name: "frontend" } }, signal);
  const containers = [{ name: "app", image: "app" }];
  const whole = { ...spec, serviceAccountName: "frontend", containers };
  return api.create(pods, { metadata: { namespace, name: "frontend-1" }, spec: whole }, signal);
}
