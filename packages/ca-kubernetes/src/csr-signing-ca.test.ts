import { randomBytes } from "node:crypto";
import { buildSvidTemplate, type SigningRequest } from "@signet/ca";
import { buildTestCsr, signingCaSuite } from "@signet/ca/testing";
import { resources } from "@signet/kubernetes";
import { type FakeCluster, type FakeRequest, fakeKubernetes } from "@signet/kubernetes/testing";
import { type Clock, createSource, systemClock } from "@signet/runtime";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { certificatePem, createCsr, parseCsr } from "@signet/x509";
import { testIntermediate, testKey, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { type CsrSigningCaOptions, createCsrSigningCa } from "./csr-signing-ca.ts";
import type { MeshCaCertificate } from "./signer-roots.ts";
import { drive, driveUntil } from "./testing/drive.ts";
import { recordEvents } from "./testing/record-events.ts";
import { createTestSigner, type TestSignerMood } from "./testing.ts";

const { certificateSigningRequests } = resources;
const signerName = "example.com/mesh";
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const trustDomain = parseTrustDomain("cluster.local");
const { signal } = new AbortController();
const key = await testKey();
const stop: AbortController[] = [];

afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort();
});

type Options = Partial<CsrSigningCaOptions> & { readonly noDefault?: true; readonly quiet?: true };

/** A cluster with a signer, and a CA that has it sign; `quiet` leaves the CA's task alone. */
async function newCa(options: Options = {}) {
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  return { ...(await newCaBy(clock, options)), clock };
}

async function newCaBy(clock: Clock, options: Options = {}) {
  const controller = new AbortController();
  stop.push(controller);
  const { noDefault, quiet, ...more } = options;
  const { api, cluster } = fakeKubernetes({ clock });
  const random = seededRandom(1);
  const signer = await createTestSigner({ api, signerName, clock, random });
  signer.task.run(controller.signal).catch(() => {});
  const events = recordEvents();
  const all = { api, trustDomain, ...(noDefault ? {} : { signerName }), ...more };
  const ca = createCsrSigningCa(all, { clock, random, randomBytes, events });
  const running = quiet ? undefined : ca.task.run(controller.signal).catch(() => {});
  return { ca, api, signer, cluster, events, running, end: () => controller.abort() };
}

type TestCa = Awaited<ReturnType<typeof newCa>>;

/** One that knows the signer's root from its root file, and has asked for nothing yet. */
async function pinnedCa(mood: TestSignerMood = { kind: "sign" }): Promise<TestCa> {
  const root = await testRoot();
  const made = await newCa({ rootPem: root.pem, quiet: true });
  made.signer.replaceCa(root, await testIntermediate(root));
  made.signer.setMood(mood);
  return made;
}

function requestOf({ clock }: Pick<TestCa, "clock">, seconds = 3_600): SigningRequest {
  const csr = parseCsr(createCsr({ key, spiffeId }));
  const now = clock.now().getTime();
  const lifetime = { notBefore: new Date(now - 120_000), notAfter: new Date(now + seconds * 1_000) };
  return { csr, template: buildSvidTemplate({ csr, spiffeId, lifetime }) };
}

function sign(test: TestCa, stopSigning: AbortSignal = signal) {
  return test.ca.sign(requestOf(test), stopSigning);
}

async function expectNothingLeft({ cluster, clock }: Pick<TestCa, "cluster" | "clock">): Promise<void> {
  await driveUntil(clock, () => cluster.all(certificateSigningRequests).length === 0);
}

const isCreation = ({ method, path }: FakeRequest): boolean =>
  method === "POST" && path.endsWith("/certificatesigningrequests");
const isWatchOrList = ({ method, path }: FakeRequest): boolean =>
  method === "GET" && path.endsWith("/certificatesigningrequests");

function elapsed({ clock }: Pick<TestCa, "clock">): () => number {
  const startedAt = clock.now().getTime();
  return () => clock.now().getTime() - startedAt;
}

describe("createCsrSigningCa", () => {
  it("creates, approves, waits, and deletes", async () => {
    const test = await pinnedCa();
    const chain = await drive(test.clock, sign(test));
    expect(chain.map(certificatePem).slice(1)).toEqual([test.signer.intermediate.pem]);
    expect(chain[0].spki).toEqual(key.spki);
    await expectNothingLeft(test);
    const [request] = test.signer.seen;
    expect(request?.spec).toMatchObject({ signerName, expirationSeconds: 3_540 });
    expect(test.cluster.requests.filter(isCreation)).toHaveLength(1);
  });

  it.each([
    ["Denied", "deny"],
    ["Failed", "fail"],
  ] as const)("sees at once that a request is %s", async (type, how) => {
    const test = await pinnedCa(how === "fail" ? { kind: "fail" } : { kind: "ignore" });
    const sinceStart = elapsed(test);
    const signing = sign(test);
    if (how === "deny") denyAll(test);
    await expect(drive(test.clock, signing, 10)).rejects.toMatchObject({
      code: "signer-refused",
      message: expect.stringContaining(type),
    });
    expect(sinceStart()).toBeLessThan(1_000);
    await expectNothingLeft(test);
  });

  it("waits for a slow signer, and no longer than a minute for a dead one", async () => {
    const slow = await pinnedCa({ kind: "ignore" });
    const signing = sign(slow);
    await driveUntil(slow.clock, () => slow.signer.seen.length > 0);
    await slow.clock.advance(50_000);
    const pending = slow.cluster.all(certificateSigningRequests);
    expect(pending).toHaveLength(1);
    slow.signer.setMood({ kind: "sign" });
    expect((await drive(slow.clock, signing))[0].spki).toEqual(key.spki);

    const dead = await pinnedCa({ kind: "ignore" });
    const sinceStart = elapsed(dead);
    await expect(drive(dead.clock, sign(dead))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(sinceStart()).toBeGreaterThanOrEqual(60_000);
    expect(sinceStart()).toBeLessThan(61_000);
    await expectNothingLeft(dead);
  });

  it("never waits longer than a minute, whatever it is told", async () => {
    const test = await newCa({ rootPem: (await testRoot()).pem, quiet: true, deadlineMs: 3_600_000 });
    test.signer.setMood({ kind: "ignore" });
    const sinceStart = elapsed(test);
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(sinceStart()).toBeLessThan(61_000);
  });

  it.each<[string, TestSignerMood]>([
    ["another key", { kind: "other-key" }],
    ["a leaf alone under a root it does not lead to", { kind: "chain", above: [] }],
  ])("refuses an answer with %s", async (_, mood) => {
    const test = await pinnedCa(mood);
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "issued-svid-mismatch" });
    await expectNothingLeft(test);
  });

  it("refuses a chain that leads to another root than the root file", async () => {
    const test = await pinnedCa();
    const stranger = await testRoot({ trustDomain: "stranger" });
    test.signer.replaceCa(stranger, await testIntermediate(stranger));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });

  it("refuses what Kubernetes would refuse, and what a signer would copy, without asking", async () => {
    const test = await pinnedCa();
    await expect(test.ca.sign(requestOf(test, 659), signal)).rejects.toMatchObject({ code: "lifetime-unsupported" });
    const csr = parseCsr(buildTestCsr({ key, subjectAltNames: [{ kind: "dns", value: "victim.example" }] }));
    const { template } = requestOf(test);
    await expect(test.ca.sign({ csr, template }, signal)).rejects.toMatchObject({ code: "csr-malformed" });
    expect(test.cluster.requests.filter(isCreation)).toEqual([]);
  });

  it("signs for eleven minutes, of which a slow signer leaves ten", async () => {
    const test = await pinnedCa();
    await drive(test.clock, test.ca.sign(requestOf(test, 660), signal));
    expect(test.signer.seen[0]?.spec.expirationSeconds).toBe(600);
  });

  it.each(["end", "cut", "gone", "error", "silent"] as const)("survives a watch that ends with %s", async (how) => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    const breaking = (async () => {
      for (let round = 0; round < 5; round++) {
        test.cluster.breakWatches(how);
        await test.clock.advance(1_000);
      }
      test.signer.setMood({ kind: "sign" });
    })();
    await breaking;
    expect((await drive(test.clock, signing))[0].spki).toEqual(key.spki);
    await expectNothingLeft(test);
  });

  it("gets by without the right to watch", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    test.cluster.setFault({ kind: "status", status: 403, only: isWatchOrList });
    test.cluster.breakWatches("cut");
    await test.clock.advance(5_000);
    test.signer.setMood({ kind: "sign" });
    expect((await drive(test.clock, signing))[0].spki).toEqual(key.spki);
  });

  it("does not hammer the API server while it waits", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    test.cluster.setFault({ kind: "status", status: 403, only: isWatchOrList });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    const gets = test.cluster.requests.filter(
      ({ method, path }) => method === "GET" && path.includes("/csr-workload-"),
    );
    expect(gets.length).toBeLessThan(120);
  });

  it("deletes the object when the caller goes away, with the caller's reason", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const caller = new AbortController();
    const reason = new Error("client went away");
    const signing = sign(test, caller.signal);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    caller.abort(reason);
    await expect(signing).rejects.toBe(reason);
    await expectNothingLeft(test);
  });

  it("deletes the object also when the caller goes away while it is created", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "slow", ms: 2_000, only: isCreation });
    const caller = new AbortController();
    const signing = sign(test, caller.signal);
    await test.clock.untilSleepers(1);
    caller.abort();
    await expect(signing).rejects.toBe(caller.signal.reason);
    await driveUntil(test.clock, () => deletionsOf(test.cluster) === 1);
    await expectNothingLeft(test);
    expect(approvalsOf(test.cluster)).toBe(0);
  });

  it("deletes the object also when the answer to its creation was lost", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "truncated", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(test.cluster.requests.filter(isCreation)).toHaveLength(1);
    await expectNothingLeft(test);
  });

  it("deletes once more when nobody knows whether the creation was heard: it may be heard later", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "half-open", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    await driveUntil(test.clock, () => deletionsOf(test.cluster) === 1);
    const spec = { request: "LS0t", signerName, usages: ["client auth"] };
    const name =
      test.cluster.requests
        .findLast(({ method }) => method === "DELETE")
        ?.path.split("/")
        .at(-1) ?? "";
    test.cluster.put(certificateSigningRequests, { metadata: { name }, spec });
    await expectNothingLeft(test);
  });

  it("goes on deleting for ten minutes, with growing waits, and then says what it left behind", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "status", status: 503, only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test));
    const sinceStart = elapsed(test);
    await driveUntil(test.clock, () => test.events.all.length > 0, 1_000);
    expect(test.events.all).toMatchObject([{ name: "leftBehind", event: { name: expect.stringMatching(/^csr-/) } }]);
    expect(sinceStart()).toBeGreaterThanOrEqual(590_000);
    expect(deletionsOf(test.cluster)).toBeLessThan(60);
  });

  it.each([
    [503, "signer-unavailable"],
    [429, "signer-unavailable"],
    [403, "signer-refused"],
    [401, "signer-refused"],
    [422, "signer-refused"],
  ] as const)("says %s from the API server as %s, and deletes nothing that it did not make", async (status, code) => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "status", status, only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code });
    await test.clock.advance(1_000);
    expect(deletionsOf(test.cluster)).toBe(status === 503 ? 1 : 0);
  });

  it("approves also when somebody else writes to the object at the same time", async () => {
    const test = await pinnedCa();
    let labelled = 0;
    const isApproval = ({ path }: FakeRequest): boolean => {
      if (!path.endsWith("/approval") || labelled === 2) return false;
      labelled += 1;
      const [object] = test.cluster.all(certificateSigningRequests);
      if (object === undefined) return false;
      const metadata = { ...object.metadata, labels: { round: String(labelled) } };
      test.cluster.put(certificateSigningRequests, { ...object, metadata });
      return false;
    };
    test.cluster.setFault({ kind: "reset", only: isApproval });
    expect((await drive(test.clock, sign(test)))[0].spki).toEqual(key.spki);
    expect(approvalsOf(test.cluster)).toBe(3);
  });

  it("is told apart from a request that somebody deleted", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0 && approvalsOf(test.cluster) === 1);
    for (const { metadata } of test.cluster.all(certificateSigningRequests)) {
      test.cluster.delete(certificateSigningRequests, { name: metadata.name });
    }
    await expect(drive(test.clock, signing)).rejects.toMatchObject({ code: "signer-unavailable" });
  });
});

function denyAll({ cluster, clock }: TestCa): void {
  driveUntil(clock, () => approvalsOf(cluster) === 1, 10)
    .then(() => {
      for (const request of cluster.all(certificateSigningRequests)) {
        const conditions = [{ type: "Denied", status: "True", reason: "Policy", message: "not here" }];
        cluster.put(certificateSigningRequests, { ...request, status: { conditions } });
      }
    })
    .catch(() => {});
}

function deletionsOf(cluster: FakeCluster): number {
  return cluster.requests.filter(({ method }) => method === "DELETE").length;
}

function approvalsOf(cluster: FakeCluster): number {
  return cluster.requests.filter(({ path }) => path.endsWith("/approval")).length;
}

describe("the root of a signer", () => {
  it("is learned by a certificate for nobody, before anyone is served", async () => {
    const test = await newCa();
    expect([test.ca.trustBundle.current(), test.ca.notAfterLimit()]).toEqual([undefined, undefined]);
    expect(test.ca.health.current()?.state).toBe("failing");
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
    expect(test.ca.chain().map(certificatePem)).toEqual([test.signer.intermediate.pem]);
    expect(test.ca.signingKeyInfo()).toEqual({ kind: "ec", curve: "P-256" });
    expect(test.signer.seen).toHaveLength(1);
    expect(nameIn(test.signer.seen[0]?.spec.request ?? "")).toBe("spiffe://cluster.local/signet/canary");
    await expectNothingLeft(test);
    await test.clock.advance(3_600_000);
    expect(test.signer.seen).toHaveLength(1);
  });

  it("is looked for until the signer signs, ever more rarely", async () => {
    const test = await newCa();
    test.signer.setMood({ kind: "fail" });
    await test.clock.advance(600_000);
    const failures = test.events.names().filter((name) => name === "probeFailed").length;
    expect(failures).toBeGreaterThan(5);
    expect(failures).toBeLessThan(60);
    expect(test.ca.health.current()).toEqual({ state: "failing", reason: "the signer does not sign" });
    test.signer.setMood({ kind: "sign" });
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
  });

  it("may change: the first certificate under it is not handed out, the next one is", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    const old = test.ca.trustBundle.current()?.pem;
    const next = await testRoot({ trustDomain: "next" });
    test.signer.replaceCa(next, await testIntermediate(next));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(test.ca.trustBundle.current()?.pem).toBe(`${next.pem}${old}`);
    expect((await drive(test.clock, sign(test)))[0].spki).toEqual(key.spki);
    expect(test.events.names().filter((name) => name === "rootLearned")).toHaveLength(2);
  });

  it("limits what is signed to the life of the issuer, and is asked anew when that is about to end", async () => {
    const root = await testRoot({ notAfter: new Date("2030-01-01T00:00:00Z") });
    const test = await newCa({ rootPem: root.pem, quiet: true });
    const shortLived = await testIntermediate(root, { notAfter: new Date("2026-11-22T16:00:00Z") });
    test.signer.replaceCa(root, shortLived);
    expect(test.ca.notAfterLimit()).toEqual(new Date("2030-01-01T00:00:00Z"));
    await drive(test.clock, sign(test));
    expect(test.ca.notAfterLimit()).toEqual(new Date("2026-11-22T16:00:00Z"));
    await expect(test.ca.sign(requestOf(test, 86_400), signal)).rejects.toMatchObject({ code: "signing-failed" });
    test.clock.jump(4 * 3_600_000 - 1_000_000);
    test.signer.replaceCa(root, await testIntermediate(root));
    expect(test.ca.notAfterLimit()).toEqual(new Date("2030-01-01T00:00:00Z"));
    expect((await drive(test.clock, test.ca.sign(requestOf(test, 86_400), signal)))[0].spki).toEqual(key.spki);
  });

  it("recovers from a signer that failed for a while without anybody asking", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    test.signer.setMood({ kind: "fail" });
    for (let call = 0; call < 3; call++) await drive(test.clock, sign(test)).catch(() => {});
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "failing");
    test.signer.setMood({ kind: "sign" });
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
  });

  it("is not taken for failing because one caller is refused again and again", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    test.signer.setMood(({ spec }) => (nameIn(spec.request) === spiffeId ? { kind: "fail" } : { kind: "sign" }));
    const states = new Set<string | undefined>();
    for (let call = 0; call < 30; call++) {
      await drive(test.clock, sign(test)).catch(() => {});
      states.add(test.ca.health.current()?.state);
      await test.clock.advance(1_000);
    }
    expect(states).toEqual(new Set(["good", "degraded"]));
    const probes = test.signer.seen.filter(({ spec }) => nameIn(spec.request) !== spiffeId).length;
    expect(probes).toBeLessThanOrEqual(10);
  });

  it("is not taken for failing because probes are refused, where the root is known", async () => {
    const root = await testRoot();
    const test = await newCa({ rootPem: root.pem });
    test.signer.replaceCa(root, await testIntermediate(root));
    test.signer.setMood(({ spec }) => (nameIn(spec.request) === spiffeId ? { kind: "sign" } : { kind: "fail" }));
    await driveUntil(test.clock, () => test.events.names().filter((name) => name === "probeFailed").length > 3);
    expect(test.ca.health.current()?.state).toBe("degraded");
    await drive(test.clock, sign(test));
    expect(test.ca.health.current()).toEqual({ state: "good" });
    const before = test.signer.seen.length;
    await test.clock.advance(3_600_000);
    expect(test.signer.seen).toHaveLength(before);
  });

  it("keeps its health when callers ask for what cannot be", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    for (let call = 0; call < 5; call++) await test.ca.sign(requestOf(test, 60), signal).catch(() => {});
    expect(test.ca.health.current()).toEqual({ state: "good" });
  });

  it("waits at its end for what is still to be deleted", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "slow", ms: 3_000, only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test), 10);
    expect(test.cluster.all(certificateSigningRequests)).toHaveLength(1);
    test.end();
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(test.cluster.all(certificateSigningRequests)).toEqual([]);
  });

  it("waits at its end for a quarter of a minute at most, and says what it left behind", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "half-open", only: ({ method }) => method === "DELETE" });
    await drive(test.clock, sign(test), 10);
    test.end();
    const sinceEnd = elapsed(test);
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(sinceEnd()).toBeLessThan(16_000);
    expect(test.events.names()).toContain("leftBehind");
  });

  it("does not wait at its end to look twice", async () => {
    const test = await newCa();
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    await expectNothingLeft(test);
    test.cluster.setFault({ kind: "truncated", only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    await expectNothingLeft(test);
    test.end();
    const sinceEnd = elapsed(test);
    await drive(test.clock, test.running ?? Promise.resolve());
    expect(sinceEnd()).toBeLessThan(2_000);
    expect(deletionsOf(test.cluster)).toBe(3);
    expect(test.events.names()).not.toContain("leftBehind");
  });
});

/** The one name that a request asks for. */
function nameIn(request: string): string | undefined {
  const [name] = parseCsr(Buffer.from(request, "base64").toString()).requestedSubjectAltNames;
  return name?.kind === "uri" ? name.value : undefined;
}

describe("signers that callers name", () => {
  it("have the domain before their name, and a root of their own", async () => {
    const test = await newCa({ certSignerDomain: "example.com" });
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    const { api } = test;
    const other = await createTestSigner({
      api,
      signerName: "example.com/other",
      clock: test.clock,
      random: Math.random,
    });
    other.task.run(stop.at(-1)?.signal ?? signal).catch(() => {});
    const named = await drive(test.clock, test.ca.signerFor("other", signal));
    expect(named.trustBundle.current()?.pem).toBe(other.root.pem);
    const chain = await drive(test.clock, named.sign(requestOf(test), signal));
    expect(chain.map(certificatePem).slice(1)).toEqual([other.intermediate.pem]);
    expect(await test.ca.signerFor("other", signal)).toBe(named);
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
  });

  it("are probed once for all who ask at the same time, and again when that failed", async () => {
    const test = await newCa({ certSignerDomain: "example.com", signerName: "example.com/default" });
    test.signer.setMood({ kind: "fail" });
    const failing = Promise.allSettled([test.ca.signerFor("mesh", signal), test.ca.signerFor("mesh", signal)]);
    expect((await drive(test.clock, failing)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(test.signer.seen).toHaveLength(1);
    test.signer.setMood({ kind: "sign" });
    await drive(test.clock, Promise.all([test.ca.signerFor("mesh", signal), test.ca.signerFor("mesh", signal)]));
    expect(test.signer.seen).toHaveLength(2);
  });

  it("need no probe when the mesh config knows their root", async () => {
    const meshCertificates = createSource<readonly MeshCaCertificate[]>();
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com", meshCertificates });
    meshCertificates.publish([{ pem: test.signer.root.pem, certSigners: [signerName] }]);
    const named = await test.ca.signerFor("mesh", signal);
    expect(test.signer.seen).toEqual([]);
    expect((await drive(test.clock, named.sign(requestOf(test), signal)))[0].spki).toEqual(key.spki);
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
  });

  it("are refused without a domain, and when their name cannot be one", async () => {
    const test = await newCa({ quiet: true });
    await expect(test.ca.signerFor("mesh", signal)).rejects.toMatchObject({ code: "signer-refused" });
    const withDomain = await newCa({ quiet: true, certSignerDomain: "example.com" });
    await expect(withDomain.ca.signerFor("a/b", signal)).rejects.toMatchObject({ code: "signer-refused" });
    expect(withDomain.cluster.requests.filter(isCreation)).toEqual([]);
  });

  it("are needed where there is no other", async () => {
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com" });
    await expect(sign(test)).rejects.toMatchObject({ code: "signer-refused" });
    const unnamed = await test.ca.signerFor("", signal);
    await expect(unnamed.sign(requestOf(test), signal)).rejects.toMatchObject({ code: "signer-refused" });
  });
});

signingCaSuite(
  { describe, it },
  {
    name: "the CSR API",
    clock: systemClock,
    signsNamesOfCsr: "signers of Kubernetes copy them",
    shortensLifetime: "a signer counts the lifetime from when it signs",
    async create() {
      const { ca } = await newCaBy(systemClock);
      for await (const { state } of ca.health.changes(signal)) if (state === "good") return ca;
      throw new Error("the signer does not sign");
    },
  },
);
