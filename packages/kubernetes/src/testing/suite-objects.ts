import assert from "node:assert/strict";
import { resources, type Secret } from "../resources.ts";
import { assertFails, type SuiteIt, type SuiteTest, uniqueName } from "./kubernetes-api-suite.ts";

const { configMaps, leases, namespaces, secrets, serviceAccounts } = resources;

/** How objects are created, read, changed, listed and removed. */
export function objectTests(it: SuiteIt): void {
  creationTests(it);
  changeTests(it);
  namespaceTests(it);
  listTests(it);
}

function creationTests(it: SuiteIt): void {
  it("creates a Secret and reads the same", async ({ api, namespace, signal }) => {
    const data = { "ca-cert.pem": Buffer.from("certificate").toString("base64"), empty: "" };
    const created = await api.create(
      secrets,
      { metadata: { namespace, name: "a" }, type: "istio.io/ca-root", data },
      signal,
    );
    assert.deepEqual(created.data, data);
    assert.equal(created.type, "istio.io/ca-root");
    assert.match(created.metadata.uid ?? "", /^[0-9a-f-]{36}$/);
    assert.match(created.metadata.creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(await api.read(secrets, { namespace, name: "a" }, signal), created);
  });

  it("reads undefined where there is nothing", async ({ api, namespace, signal }) => {
    assert.equal(await api.read(secrets, { namespace, name: "a" }, signal), undefined);
    assert.equal(await api.read(secrets, { namespace: uniqueName("none"), name: "a" }, signal), undefined);
    assert.equal(await api.read(namespaces, { name: uniqueName("none") }, signal), undefined);
  });

  it("lets exactly one of several create an object", async ({ api, namespace, signal }) => {
    const attempts = ["1", "2", "3", "4"].map((who) =>
      api.create(configMaps, { metadata: { namespace, name: "race" }, data: { who } }, signal),
    );
    const results = await Promise.allSettled(attempts);
    const won = results.filter((result) => result.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of results) if (result.status === "rejected") assert.equal(result.reason.code, "already-exists");
    assert.deepEqual(await api.read(configMaps, { namespace, name: "race" }, signal), won[0]?.value);
  });

  it("names an object when asked to", async ({ api, namespace, signal }) => {
    const nameless = { metadata: { namespace, name: "", generateName: "csr-workload-" } };
    const one = await api.create(serviceAccounts, nameless, signal);
    const other = await api.create(serviceAccounts, nameless, signal);
    assert.match(one.metadata.name, /^csr-workload-[a-z0-9]{5}$/);
    assert.notEqual(one.metadata.name, other.metadata.name);
  });

  it("refuses what is invalid", async ({ api, namespace, signal }) => {
    const named = (name: string) => ({ metadata: { namespace, name } });
    await assertFails(api.create(secrets, named("X_y"), signal), "invalid");
    await assertFails(api.create(secrets, { ...named("a"), data: { "a b": "eA==" } }, signal), "invalid");
    await assertFails(api.create(secrets, { ...named("a"), data: { a: "x" } }, signal), "invalid");
    await assertFails(api.getJson("/api/v1/nothing", signal), "not-found");
  });
}

function changeTests(it: SuiteIt): void {
  it("replaces an object at the version that is known, and only at that", async (given) => {
    const { api, signal } = given;
    const first = await createSecret(given);
    const second = await api.replace(secrets, { ...first, data: { a: "Mg==" } }, signal);
    assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
    await assertFails(api.replace(secrets, { ...first, data: { a: "Mw==" } }, signal), "conflict");
    const stored = await api.read(secrets, first.metadata, signal);
    assert.deepEqual(stored?.data, { a: "Mg==" });
  });

  it("replaces an object whatever its version when none is named", async (given) => {
    const { api, namespace, signal } = given;
    const { metadata } = await createSecret(given);
    const replaced = await api.replace(secrets, { metadata: { namespace, name: metadata.name }, data: {} }, signal);
    assert.equal(replaced.metadata.uid, metadata.uid);
    await assertFails(api.replace(secrets, { metadata: { namespace, name: "none" } }, signal), "not-found");
  });

  it("takes an object for another when it was deleted and created anew", async (given) => {
    const { api, namespace, signal } = given;
    const { metadata } = await createSecret(given);
    await api.remove(secrets, metadata, signal);
    await createSecret(given);
    const stale = { metadata: { namespace, name: metadata.name, uid: metadata.uid ?? "" } };
    await assertFails(api.replace(secrets, stale, signal), "conflict");
  });

  it("counts what changes nothing as no change", async (given) => {
    const { api, signal } = given;
    const first = await createSecret(given);
    const again = await api.replace(secrets, first, signal);
    assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it("merges a patch into an object", async (given) => {
    const { api, signal } = given;
    const { metadata } = await createSecret(given);
    const patch = { data: { a: null, b: "Mg==" }, metadata: { labels: { "istio.io/config": "true" } } };
    const patched = await api.mergePatch(secrets, { ...nameOf(metadata), patch }, signal);
    assert.deepEqual(patched.data, { b: "Mg==" });
    assert.deepEqual(patched.metadata.labels, { "istio.io/config": "true" });
    await assertFails(api.mergePatch(secrets, { ...nameOf(metadata), name: "none", patch }, signal), "not-found");
    const stale = { metadata: { resourceVersion: metadata.resourceVersion } };
    await assertFails(
      api.mergePatch(secrets, { ...nameOf(metadata), patch: { ...patch, ...stale } }, signal),
      "conflict",
    );
  });

  it("removes an object, also one that is gone", async (given) => {
    const { api, signal } = given;
    const { metadata } = await createSecret(given);
    await api.remove(secrets, metadata, signal);
    assert.equal(await api.read(secrets, metadata, signal), undefined);
    await api.remove(secrets, metadata, signal);
  });

  it("keeps what is immutable", async ({ api, namespace, signal }) => {
    const object = { metadata: { namespace, name: "a" }, data: { a: "1" }, immutable: true };
    await api.create(configMaps, object, signal);
    await assertFails(api.replace(configMaps, { ...object, data: { a: "2" } }, signal), "invalid");
  });

  it("changes a Lease only for who names its version", async ({ api, namespace, signal }) => {
    const renewTime = "2026-01-01T00:00:00.000000Z";
    const metadata = { namespace, name: "leader" };
    const lease = await api.create(leases, { metadata, spec: { holderIdentity: "a", renewTime } }, signal);
    assert.equal(lease.spec?.renewTime, renewTime);
    await assertFails(api.replace(leases, { metadata, spec: { holderIdentity: "b" } }, signal), "invalid");
    const taken = await api.replace(leases, { ...lease, spec: { holderIdentity: "b" } }, signal);
    assert.equal(taken.spec?.holderIdentity, "b");
    await assertFails(api.replace(leases, { ...lease, spec: { holderIdentity: "c" } }, signal), "conflict");
  });
}

function namespaceTests(it: SuiteIt): void {
  it("makes a namespace active, and terminating when it is removed", async ({ api, namespace, signal }) => {
    const active = await api.read(namespaces, { name: namespace }, signal);
    assert.equal(active?.status?.phase, "Active");
    assert.equal(active?.metadata.labels?.["kubernetes.io/metadata.name"], namespace);
    await api.remove(namespaces, { name: namespace }, signal);
    const terminating = await api.read(namespaces, { name: namespace }, signal);
    assert.equal(terminating?.status?.phase, "Terminating");
    assert.notEqual(terminating?.metadata.deletionTimestamp, undefined);
    await assertFails(api.create(configMaps, { metadata: { namespace, name: "a" } }, signal), "forbidden");
  });

  it("creates nothing in a namespace that is not there", async ({ api, signal }) => {
    const metadata = { namespace: uniqueName("none"), name: "a" };
    await assertFails(api.create(configMaps, { metadata }, signal), "not-found");
  });
}

function listTests(it: SuiteIt): void {
  it("lists all objects at one instant, however small the pages are", async ({ api, namespace, signal }) => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) await api.create(configMaps, { metadata: { namespace, name } }, signal);
    const versions = new Set<string>();
    const seen: string[] = [];
    for await (const page of api.listPages(configMaps, { namespace, pageSize: 2 }, signal)) {
      versions.add(page.resourceVersion);
      seen.push(...page.items.map((item) => item.metadata.name));
      assert.ok(page.items.length <= 2);
      // What comes after the first page began is not part of that instant.
      await api.create(configMaps, { metadata: { namespace, name: uniqueName("z") } }, signal);
    }
    assert.deepEqual(seen, names);
    assert.equal(versions.size, 1);
    const { items } = await api.list(configMaps, { namespace, pageSize: 1 }, signal);
    assert.equal(items.length, 8);
  });

  it("lists what selectors choose", async ({ api, namespace, signal }) => {
    const labelled = (name: string, labels: Record<string, string>) => ({ metadata: { namespace, name, labels } });
    await api.create(secrets, labelled("a", { "istio/multiCluster": "true", tier: "x" }), signal);
    await api.create(secrets, { ...labelled("b", { "istio/multiCluster": "false" }), type: "kind/b" }, signal);
    await api.create(secrets, { metadata: { namespace, name: "c" } }, signal);
    const cases: readonly (readonly [labelSelector: string, fieldSelector: string, names: string])[] = [
      ["istio/multiCluster=true", "", "a"],
      ["istio/multiCluster", "", "ab"],
      ["!istio/multiCluster", "", "c"],
      ["istio/multiCluster!=true", "", "bc"],
      ["istio/multiCluster in (true, other),tier", "", "a"],
      ["istio/multiCluster notin (true)", "", "bc"],
      ["", "metadata.name=b", "b"],
      ["", "metadata.name!=b", "ac"],
      ["", "type=kind/b", "b"],
      ["istio/multiCluster=false", "metadata.name=a", ""],
    ];
    for (const [labelSelector, fieldSelector, names] of cases) {
      const query = { namespace, ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
      const { items } = await api.list(secrets, query, signal);
      assert.equal(items.map((item) => item.metadata.name).join(""), names, `${labelSelector} ${fieldSelector}`);
    }
    await assertFails(api.list(secrets, { namespace, fieldSelector: "data.a=x" }, signal), "invalid");
  });

  it("lists nothing of a namespace that is not there", async ({ api, signal }) => {
    const { items, resourceVersion } = await api.list(secrets, { namespace: uniqueName("none") }, signal);
    assert.deepEqual(items, []);
    assert.match(resourceVersion, /^\d+$/);
  });
}

function createSecret({ api, namespace, signal }: SuiteTest): Promise<Secret> {
  return api.create(secrets, { metadata: { namespace, name: "a" }, data: { a: "MQ==" } }, signal);
}

function nameOf({ namespace = "", name }: { readonly namespace?: string; readonly name: string }): {
  readonly namespace: string;
  readonly name: string;
} {
  return { namespace, name };
}
