import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VaultServer } from "@signet/cli/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkReport, runDemo } from "../e2e/support/demo.ts";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { startDemo } from "../e2e/support/running-demo.ts";
import { findTestVault } from "./support/vault-server.ts";

const envoy = await findTestEnvoy();
const vault = await findTestVault();
const skipped = envoy.skipped || vault.skippedOwn;

// A demo of its own Vault must not find that of the tests.
const ownVault = { VAULT_ADDR: "", VAULT_TOKEN: "" };
const signedBy = "CN=Signet demo intermediate";

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

describe.skipIf(skipped)(`the demo with --ca vault ${skipped}`, () => {
  test("rotates under traffic with certificates that Vault says it signed", async () => {
    const report = checkReport(await runDemo(["--ca", "vault", "--json"], ownVault), {
      envoy: { version: envoy.version },
      signedBy,
      vault: {
        version: expect.stringMatching(/^\d+\.\d+/),
        signatures: { frontend: expect.any(Number), backend: expect.any(Number) },
        unknown: 0,
      },
    });
    const { rotations, vault: told } = report;
    expect(told?.signatures?.frontend).toBeGreaterThan(rotations.frontend);
    expect(told?.signatures?.backend).toBeGreaterThan(rotations.backend);
  });

  test("uses the Vault of VAULT_ADDR, and leaves it as it was", async () => {
    const server = await vault.start();
    stack.defer(() => server.close());
    const directory = await mkdtemp(join(tmpdir(), "signet-mesh-vault-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const caFile = join(directory, "ca.pem");
    await writeFile(caFile, server.caPem ?? "");
    const before = await inventory(server);
    const env = { VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken, VAULT_CACERT: caFile };
    checkReport(await runDemo(["--ca", "vault", "--json"], env), {
      envoy: { version: envoy.version },
      signedBy,
      vault: { version: server.version, signatures: null, unknown: 0 },
    });
    expect(await inventory(server)).toEqual(before);
  });

  test.each(["main.ts", "demo-process.ts"])("ends its Vault after kill -9 of %s", async (program) => {
    const demo = await startDemo(["node", "packages/cli/src/demo/main.ts", "--ca", "vault"]);
    stack.defer(() => demo.close());
    expect(demo.below.map(({ command }) => command)).toContainEqual(expect.stringMatching(/vault server -config=/));
    const closed = new Promise((resolve) => demo.child.once("close", resolve));
    process.kill(demo.pidOf(program), "SIGKILL");
    await closed;
    await demo.expectAllGone();
  });
});

/** What a demo could leave behind in a Vault. */
async function inventory(server: VaultServer): Promise<unknown> {
  const keysAt = async (path: string): Promise<readonly string[]> =>
    Object.keys(Object((await server.request({ method: "GET", path })).at("data"))).sort();
  const policies = await server.request({ method: "GET", path: "sys/policies/acl?list=true" });
  return {
    mounts: await keysAt("sys/mounts"),
    logins: await keysAt("sys/auth"),
    logs: await keysAt("sys/audit"),
    policies: policies.at("data", "keys"),
  };
}
