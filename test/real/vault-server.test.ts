import { vaultObjects } from "@signet/cli/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCertificates } from "@signet/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestVault, type VaultServer } from "./support/vault-server.ts";

const vault = await findTestVault();

describe.skipIf(vault.skipped)(`the Vault of the tests ${vault.skipped}`, () => {
  let server: VaultServer;
  beforeAll(async () => {
    server = await vault.start();
  });
  afterAll(() => server?.close());

  test("is initialised, unsealed and active", async () => {
    const health = await server.request({ method: "GET", path: "sys/health" });
    expect([health.status, health.at("sealed"), health.at("initialized")]).toEqual([200, false, true]);
  });

  test("signs for a token that may do nothing else", async () => {
    const objects = vaultObjects(server);
    const { mount, certificatePem } = await objects.createPkiRoot({ commonName: "mesh" });
    const role = { allowed_uri_sans: ["spiffe://cluster.local/*"], use_csr_sans: false, require_cn: false };
    await objects.write(`${mount}/roles/mesh`, { ...role, key_type: "any", no_store: true });
    const policy = await objects.writePolicy(`path "${mount}/sign/mesh" { capabilities = ["update"] }`);
    const token = await objects.createToken({ policies: [policy], ttl: "60s" });
    const key = await generateKeyPair("P-256");
    const csr = createCsr({ key, spiffeId: parseSpiffeId("spiffe://cluster.local/ns/a/sa/other") });
    const body = { csr, uri_sans: "spiffe://cluster.local/ns/a/sa/b", ttl: "300s" };
    const signed = await server.request({ method: "POST", path: `${mount}/sign/mesh`, body, token });
    const [leaf] = parseCertificates(signed.textAt("data", "certificate"));
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: "spiffe://cluster.local/ns/a/sa/b" }]);
    expect(signed.textAt("data", "issuing_ca")).toBe(certificatePem);
    const refused = await server.request({ method: "POST", path: `${mount}/roles/mesh`, body: role, token });
    expect(refused.status).toBe(403);
  });
});

describe.skipIf(vault.skippedOwn)(`a Vault of our own ${vault.skippedOwn}`, () => {
  let server: VaultServer;
  beforeAll(async () => {
    server = await vault.start();
  });
  afterAll(() => server?.close());
  const health = async () => (await server.request({ method: "GET", path: "sys/health" })).status;

  test("is sealed and unsealed", async () => {
    await server.own?.seal();
    expect(await health()).toBe(503);
    await server.own?.unseal();
    expect(await health()).toBe(200);
  });

  test("keeps its data when it is killed, and is sealed when it is started again", async () => {
    await server.request({ method: "PUT", path: "sys/policies/acl/kept", body: { policy: 'path "a" {}' } });
    await server.own?.kill();
    await expect(health()).rejects.toThrow("ECONNREFUSED");
    await server.own?.start();
    expect(await health()).toBe(503);
    await server.own?.unseal();
    expect((await server.request({ method: "GET", path: "sys/policies/acl/kept" })).status).toBe(200);
  });

  test("accepts connections and says nothing while it is paused", async () => {
    server.own?.pause();
    await expect(server.request({ method: "GET", path: "sys/health", timeoutMs: 500 })).rejects.toThrow("abort");
    server.own?.resume();
    expect(await health()).toBe(200);
  });
});

describe.skipIf(vault.skippedOwn)(`two nodes of Vault ${vault.skippedOwn}`, () => {
  let server: VaultServer;
  beforeAll(async () => {
    server = await vault.start({ nodes: 2 });
  });
  afterAll(() => server?.close());
  const health = async (node: number) => (await server.request({ method: "GET", path: "sys/health", node })).status;

  test("one is active, the other a standby that passes requests on", async () => {
    expect([await health(0), await health(1)]).toEqual([200, 429]);
    const self = await server.request({ method: "GET", path: "auth/token/lookup-self", node: 1 });
    expect(self.at("data", "policies")).toEqual(["root"]);
  });

  test("the standby takes over when the active one steps down", async () => {
    await server.own?.stepDown(0);
    expect(await health(1)).toBe(200);
  });
});
