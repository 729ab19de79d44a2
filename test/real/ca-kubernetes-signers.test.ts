import { randomBytes } from "node:crypto";
import { buildSvidTemplate, type SigningRequest } from "@signet/ca";
import { signingCaSuite } from "@signet/ca/testing";
import { type CsrSigningCa, type CsrSigningCaOptions, createCsrSigningCa } from "@signet/ca-kubernetes";
import { createTestSigner, type RecordedEvents, recordEvents, type TestSigner } from "@signet/ca-kubernetes/testing";
import { poll } from "@signet/cli/testing";
import { type KubernetesApi, resources } from "@signet/kubernetes";
import { systemClock } from "@signet/runtime";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { certificatePem, createCsr, generateKeyPair, type KeyPair, parseCsr } from "@signet/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CaCluster, prepareCaCluster } from "./ca-kubernetes-cluster.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { certificateSigningRequests } = resources;
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const trustDomain = parseTrustDomain("cluster.local");
const { signal } = new AbortController();
const patience = { what: "what the test waits for", limitMs: 30_000 };

describe.skipIf(kube.skipped)(`signers of the real API server ${kube.skipped}`, () => {
  const stop = new AbortController();
  let server: KubeServer;
  let cluster: CaCluster;
  let signer: TestSigner;
  let key: KeyPair;
  let made: CsrSigningCa & { readonly events: RecordedEvents };

  beforeAll(async () => {
    server = await kube.start();
    cluster = await prepareCaCluster(server);
    key = await generateKeyPair("P-256");
    const { admin: api, signerDomain } = cluster;
    const signerName = `${signerDomain}/mesh`;
    signer = await createTestSigner({ api, signerName, clock: systemClock, random: Math.random });
    signer.task.run(stop.signal).catch(() => {});
    made = makeCa();
    made.task.run(stop.signal).catch(() => {});
    await ready(made);
  });

  afterAll(async () => {
    stop.abort();
    cluster?.admin.close();
    cluster?.caServer.close();
    await server?.close();
  });

  function makeCa(options: Partial<CsrSigningCaOptions> = {}): CsrSigningCa & { readonly events: RecordedEvents } {
    const events = recordEvents();
    const { caServer: api, signerDomain } = cluster;
    const ca = createCsrSigningCa(
      { api, signerName: `${signerDomain}/mesh`, certSignerDomain: signerDomain, trustDomain, ...options },
      { clock: systemClock, random: Math.random, randomBytes, events },
    );
    return { ...ca, events };
  }

  async function ready({ health }: CsrSigningCa): Promise<void> {
    await poll(async () => health.current()?.state === "good" || undefined, patience);
  }

  function requestOf(seconds = 3_600): SigningRequest {
    const csr = parseCsr(createCsr({ key, spiffeId }));
    const now = Math.floor(Date.now() / 1000) * 1000;
    const lifetime = { notBefore: new Date(now - 120_000), notAfter: new Date(now + seconds * 1000) };
    return { csr, template: buildSvidTemplate({ csr, spiffeId, lifetime }) };
  }

  async function ours(): Promise<readonly string[]> {
    const { items } = await cluster.admin.list(certificateSigningRequests, {}, signal);
    return items
      .filter(({ spec }) => spec.signerName.startsWith(cluster.signerDomain))
      .map(({ metadata }) => metadata.name);
  }

  async function expectNothingLeft(): Promise<void> {
    await poll(async () => ((await ours()).length === 0 ? true : undefined), patience);
  }

  it("learns the root of the signer from a certificate for nobody", async () => {
    expect(made.trustBundle.current()?.pem).toBe(signer.root.pem);
    expect(made.events.names()).toEqual(["rootLearned"]);
    await expectNothingLeft();
  });

  it("creates, approves, waits, and deletes", async () => {
    const [leaf, ...above] = await made.sign(requestOf(), signal);
    expect(leaf.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(above.map(certificatePem)).toEqual([signer.intermediate.pem]);
    await expectNothingLeft();
  });

  it("signs for ten minutes, and refuses less, as the API server would", async () => {
    const request = requestOf(600);
    const chain = await made.sign(request, signal);
    const lateMs = chain[0].notAfter.getTime() - request.template.notAfter.getTime();
    expect(lateMs).toBeLessThanOrEqual(made.notAfterToleranceMs ?? 0);
    await expect(made.sign(requestOf(599), signal)).rejects.toMatchObject({ code: "lifetime-unsupported" });
    const spec = {
      request: Buffer.from(createCsr({ key, spiffeId })).toString("base64"),
      signerName: `${cluster.signerDomain}/mesh`,
      usages: ["client auth"],
      expirationSeconds: 599,
    };
    const object = { metadata: { name: "signet-too-short" }, spec };
    await expect(cluster.admin.create(certificateSigningRequests, object, signal)).rejects.toMatchObject({
      code: "invalid",
    });
  });

  it("sees at once that the signer failed", async () => {
    signer.setMood({ kind: "fail" });
    await expect(makeCa({ deadlineMs: 10_000 }).sign(requestOf(), signal)).rejects.toMatchObject({
      code: "signer-refused",
      message: expect.stringContaining("Failed"),
    });
    await expectNothingLeft();
  });

  it("sees at once that somebody denied", async () => {
    const { admin, caServer } = cluster;
    const denied = { type: "Denied", status: "True", reason: "Policy", message: "not here" };
    const api: KubernetesApi = {
      ...caServer,
      // The API server lets nobody deny what is approved, so whoever denies has to be the first.
      async create(resource, object, creating) {
        const created = await caServer.create(resource, object, creating);
        const target = { resource, subresource: "approval" } as const;
        await admin.replaceSubresource(target, { ...created, status: { conditions: [denied] } }, creating);
        return created;
      },
    };
    await expect(makeCa({ api, deadlineMs: 10_000 }).sign(requestOf(), signal)).rejects.toMatchObject({
      code: "signer-refused",
      message: expect.stringContaining("Denied"),
    });
    await expectNothingLeft();
  });

  it("waits for a slow signer", async () => {
    signer.setMood({ kind: "ignore" });
    const seenBefore = signer.seen.length;
    const signing = made.sign(requestOf(), signal);
    await poll(async () => signer.seen.length > seenBefore || undefined, patience);
    // Longer than a watch may be silent without the object being looked at.
    await systemClock.sleep(6_000, signal);
    signer.setMood({ kind: "sign" });
    expect((await signing)[0].spki).toEqual(key.spki);
    await expectNothingLeft();
  });

  it("gives up on a signer that does not sign, and deletes", async () => {
    signer.setMood({ kind: "ignore" });
    const impatient = makeCa({ deadlineMs: 2_000 });
    await expect(impatient.sign(requestOf(), signal)).rejects.toMatchObject({ code: "signer-unavailable" });
    await expectNothingLeft();
  });

  it("deletes when the caller goes away", async () => {
    signer.setMood({ kind: "ignore" });
    const caller = new AbortController();
    const seenBefore = signer.seen.length;
    const signing = made.sign(requestOf(), caller.signal);
    await poll(async () => signer.seen.length > seenBefore || undefined, patience);
    caller.abort(new Error("client went away"));
    await expect(signing).rejects.toBe(caller.signal.reason);
    await expectNothingLeft();
  });

  it("refuses a certificate for another key, and deletes", async () => {
    signer.setMood({ kind: "other-key" });
    await expect(made.sign(requestOf(), signal)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
    await expectNothingLeft();
    signer.setMood({ kind: "sign" });
  });

  it("may not approve for a signer that its rights do not name, and deletes", async () => {
    const elsewhere = makeCa({ signerName: "elsewhere.example.org/mesh" });
    await expect(elsewhere.sign(requestOf(), signal)).rejects.toMatchObject({ code: "signer-refused" });
    await poll(async () => {
      const { items } = await cluster.admin.list(certificateSigningRequests, {}, signal);
      return items.some(({ spec }) => spec.signerName.startsWith("elsewhere.")) ? undefined : true;
    }, patience);
  });

  it("has the signer sign that a caller names", async () => {
    const { admin: api, signerDomain } = cluster;
    const other = await createTestSigner({
      ...{ api, signerName: `${signerDomain}/other`, clock: systemClock, random: Math.random },
    });
    other.task.run(stop.signal).catch(() => {});
    const named = await made.signerFor("other", signal);
    expect(named.trustBundle.current()?.pem).toBe(other.root.pem);
    expect((await named.sign(requestOf(), signal)).map(certificatePem).slice(1)).toEqual([other.intermediate.pem]);
    await expectNothingLeft();
  });

  signingCaSuite(
    { describe, it },
    {
      name: "the real CSR API",
      clock: systemClock,
      signsNamesOfCsr: "signers of Kubernetes copy them",
      shortensLifetime: "a signer counts the lifetime from when it signs",
      create: async () => made,
    },
  );

  describe.skipIf(kube.skippedOwn)(`when the API server is away ${kube.skippedOwn}`, () => {
    it("says that the signer is unavailable, leaves nothing behind, and signs again by itself", async () => {
      server.own?.pause();
      await expect(made.sign(requestOf(), signal)).rejects.toMatchObject({ code: "signer-unavailable" });
      server.own?.resume();
      const chain = await poll(() => made.sign(requestOf(), signal), patience);
      expect(chain[0].spki).toEqual(key.spki);
      await expectNothingLeft();
      expect(made.events.names()).not.toContain("leftBehind");
    });
  });
});
