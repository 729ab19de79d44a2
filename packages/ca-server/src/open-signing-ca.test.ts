import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testCaState } from "@signet/ca/testing";
import { type KubernetesApi, resources } from "@signet/kubernetes";
import { type FakeCluster, fakeKubernetes } from "@signet/kubernetes/testing";
import { createMetrics, runGroup } from "@signet/runtime";
import { FakeClock, type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSigningCa } from "./open-signing-ca.ts";
import { parseCaServerSettings } from "./settings.ts";
import type { OpenedSigningCa } from "./signing/opened-signing-ca.ts";
import { createSigningEvents } from "./signing/signing-events.ts";
import { createSigningMetrics } from "./signing/signing-metrics.ts";

const namespace = "istio-system";

let directory: string;
let clock: FakeClock;
let logger: FakeLogger;
let api: KubernetesApi;
let cluster: FakeCluster;
let opened: OpenedSigningCa[];
let stop: AbortController;
let running: Promise<unknown>[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-signing-"));
  clock = new FakeClock();
  logger = fakeLogger();
  ({ api, cluster } = fakeKubernetes({ clock }));
  cluster.put(resources.namespaces, { metadata: { name: namespace } });
  opened = [];
  stop = new AbortController();
  running = [];
});

afterEach(async () => {
  stop.abort();
  await Promise.allSettled(running);
  for (const { release } of opened) await release();
  await rm(directory, { recursive: true, force: true });
});

async function open(env: Record<string, string> = {}, withCluster = false): Promise<OpenedSigningCa> {
  const parsed = parseCaServerSettings({
    env: {
      SIGNET_STATE_DIR: join(directory, "state"),
      ROOT_CA_DIR: join(directory, "cacerts"),
      SIGNET_SELF_SIGNED_CA_KEY: "p256",
      SIGNET_EXTERNAL_CA_ROOT_FILE: join(directory, "external-root.pem"),
      ...(withCluster && { SIGNET_KUBECONFIG: "unused" }),
      ...env,
    },
    args: [],
  });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const events = createSigningEvents(logger, createSigningMetrics(createMetrics()));
  const dependencies = { clock, random: () => 0.5, randomBytes, logger, events, ...(withCluster && { api }) };
  const signing = await openSigningCa(parsed.settings, dependencies);
  opened.push(signing);
  return signing;
}

function run({ tasks }: OpenedSigningCa): Promise<unknown> {
  const ended = runGroup(tasks, stop.signal);
  // Whoever wants to know how it ends awaits what is returned.
  running.push(ended.catch(() => {}));
  return ended;
}

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; !condition(); round += 1) {
    if (round > 2_000) throw new Error("it never came");
    await clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function writeCacerts(...more: string[]): Promise<void> {
  const state = await testCaState();
  const texts = {
    "ca-cert.pem": state.certificatePem,
    "ca-key.pem": state.privateKeyPem,
    "cert-chain.pem": state.certificatePem,
    "root-cert.pem": state.rootCertificatesPem,
    ...Object.fromEntries(more.map((name) => [name, ""])),
  };
  await mkdir(join(directory, "cacerts"), { recursive: true });
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(directory, "cacerts", name), text, { mode: 0o600 });
  }
}

const isReady = ({ signingCa }: OpenedSigningCa) => signingCa.notAfterLimit() !== undefined;
const secretNames = () => cluster.all(resources.secrets).map(({ metadata }) => metadata.name);

describe("what signs without a Kubernetes API", () => {
  it("is a self-signed CA in the state directory", async () => {
    const { signingCa, servingCa, origin } = await open();
    expect(signingCa.name).toBe("self-signed");
    expect(servingCa).toBe(signingCa);
    expect(origin).toBe(join(directory, "state"));
  });

  it("is the plugged-in CA of its directory, which is followed", async () => {
    await writeCacerts();
    const signing = await open();
    expect(signing.signingCa.name).toBe("plugged-in");
    void run(signing);
    await until(() => clock.sleepers() > 0);
    await rm(join(directory, "cacerts", "ca-key.pem"));
    await until(() => logger.lines.some(({ message }) => message === "ca files refused"));
    expect(signing.signingCa.health?.current()?.state).toBe("degraded");
    expect(isReady(signing)).toBe(true);
  });

  it("is never another CA than half a plugged-in one", async () => {
    await writeCacerts();
    await rm(join(directory, "cacerts", "root-cert.pem"));
    await expect(open()).rejects.toMatchObject({ code: "cacerts-incomplete" });
  });

  it("is refused with the name of its place when it does not fit together", async () => {
    await writeCacerts();
    await writeFile(join(directory, "cacerts", "ca-key.pem"), (await testCaState()).privateKeyPem);
    await expect(open()).rejects.toMatchObject({
      code: "ca-material-invalid",
      message: expect.stringContaining(join(directory, "cacerts")),
    });
  });
});

describe("what signs with a Kubernetes API", () => {
  it("is a self-signed CA in a Secret, which all replicas share", async () => {
    const first = await open({}, true);
    const second = await open({}, true);
    expect(isReady(first)).toBe(false);
    void run(first);
    void run(second);
    await until(() => isReady(first) && isReady(second));
    expect(first.signingCa.name).toBe("self-signed");
    expect(first.signingCa.trustBundle.current()?.pem).toBe(second.signingCa.trustBundle.current()?.pem);
    expect(secretNames()).toEqual(["istio-ca-secret"]);
    expect(logger.lines.filter(({ message }) => message === "ca secret created")).toHaveLength(1);
  });

  it("is the plugged-in CA of the Secret cacerts where there is one", async () => {
    const state = await testCaState();
    const data = {
      "ca-cert.pem": state.certificatePem,
      "ca-key.pem": state.privateKeyPem,
      "cert-chain.pem": state.certificatePem,
      "root-cert.pem": state.rootCertificatesPem,
    };
    const encoded = Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString("base64")]);
    cluster.put(resources.secrets, { metadata: { namespace, name: "cacerts" }, data: Object.fromEntries(encoded) });
    const signing = await open({}, true);
    void run(signing);
    await until(() => isReady(signing));
    expect(signing.signingCa.name).toBe("plugged-in");
    expect(secretNames()).toEqual(["cacerts"]);
  });

  it("is the plugged-in CA of the directory before all", async () => {
    await writeCacerts();
    expect((await open({}, true)).signingCa.name).toBe("plugged-in");
  });

  it("is in the Secret where the directory is only the mount of istiod's self-signed CA", async () => {
    await writeCacerts("istio-generated");
    expect((await open({ USE_CACERTS_FOR_SELF_SIGNED_CA: "true" }, true)).signingCa.name).toBe("pending");
    expect((await open({}, true)).signingCa.name).toBe("plugged-in");
  });

  it("waits for an API server that is away, and is there soon after it", async () => {
    cluster.setFault({ kind: "reset" });
    const signing = await open({}, true);
    void run(signing);
    await until(() => logger.lines.some(({ message }) => message === "ca secret not available yet"));
    await clock.advance(300_000);
    expect(isReady(signing)).toBe(false);
    cluster.setFault(undefined);
    await until(() => isReady(signing));
    expect(logger.lines.at(-1)).toMatchObject({
      message: "signing ca opened",
      fields: { signingCa: "self-signed", origin: "istio-system/istio-ca-secret" },
    });
  });

  it("ends the process when its Secret holds what cannot be used", async () => {
    const data = { "ca-cert.pem": "aGVsbG8=", "ca-key.pem": "aGVsbG8=" };
    cluster.put(resources.secrets, {
      metadata: { namespace, name: "istio-ca-secret" },
      type: "istio.io/ca-root",
      data,
    });
    const signing = await open({}, true);
    const ended = run(signing);
    ended.catch(() => {});
    await until(() => clock.sleepers() === 0);
    await expect(ended).rejects.toThrow(/istio-ca-secret/);
  });

  it("is the cluster's signers where EXTERNAL_CA says so, with the built-in CA for the server itself", async () => {
    const env = { EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API", K8S_SIGNER: "example.com/mesh" };
    const signing = await open(env, true);
    expect(signing.signingCa.name).toBe("kubernetes-csr");
    expect(signing.signerFor).toBeDefined();
    expect(signing.admission).toBeDefined();
    expect(signing.servingCa).not.toBe(signing.signingCa);
    const files = { SIGNET_TLS_CERT_FILE: "c", SIGNET_TLS_KEY_FILE: "k", SIGNET_TLS_CA_FILE: "r" };
    expect((await open({ ...env, ...files }, true)).tasks).toHaveLength(1);
  });
});

describe("Vault as what signs", () => {
  const vault = { VAULT_ADDR: "https://127.0.0.1:1", VAULT_TOKEN: "t" };

  it("need not be there at the start", async () => {
    const signing = await open({ ...vault, SIGNET_SIGNING_CA: "vault" });
    expect(signing.signingCa.name).toBe("vault");
    expect(isReady(signing)).toBe(false);
    expect(signing.origin).toBe(vault.VAULT_ADDR);
  });

  it("has a standby, whose roots are trusted from the beginning", async () => {
    await writeCacerts();
    const signing = await open({ ...vault, SIGNET_SIGNING_CA: "vault", SIGNET_STANDBY_CA: "istio" });
    expect(signing.signingCa.name).toBe("failover");
    expect(signing.servingCa).toBe(signing.signingCa);
    expect(signing.signingCa.trustBundle.current()?.authorities).toHaveLength(1);
  });

  it("is not ready while neither it nor its standby is there", async () => {
    const signing = await open({ ...vault, SIGNET_SIGNING_CA: "vault", SIGNET_STANDBY_CA: "istio" }, true);
    expect(signing.probe).toBe("health");
    expect(signing.signingCa.health?.current()?.state).toBe("failing");
  });
});
