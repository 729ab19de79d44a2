import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareVaultCa } from "@signet/cli/testing";
import { connectCluster, resources } from "@signet/kubernetes";
import { startFakeApiServer } from "@signet/kubernetes/testing";
import { systemClock } from "@signet/runtime";
import { startOidcIssuer } from "../../e2e/ca-server-fixture.ts";
import { findTestVault } from "../../real/support/vault-server.ts";
import { type BenchChild, type BenchReady, startBenchChild } from "./bench-child.ts";

/** A CA server with something beside it that it needs, in other processes than its own. */
export type Surrounded = { readonly server: BenchChild; close(): Promise<void> };

/** Starts a CA server that trusts an issuer in this process, which makes as many tokens as are wanted. */
export async function withIssuer(): Promise<Surrounded & { makeToken(): string }> {
  const issuer = await startOidcIssuer();
  const started = await surrounded({ TOKEN_ISSUER: issuer.issuer }, {});
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  let count = 0;
  return {
    ...started,
    makeToken: () => issuer.sign({ exp, jti: `${count++}` }),
    async close() {
      await started.close();
      await issuer.close();
    },
  };
}

/** Starts a CA server that trusts the header of gateways on this machine, and calls it as one. */
export async function behindGateway(): Promise<Surrounded> {
  const settings = { TRUSTED_GATEWAY_CIDR: "127.0.0.0/8,::1/128" };
  const uri = "spiffe://cluster.local/ns/demo/sa/frontend";
  return await surrounded(settings, { bearerToken: "", forwardedClientCert: `Hash=0a;URI=${uri}` });
}

/** Starts a CA server that knows callers by the tokens of an API server, which is a fake in this process. */
export async function inCluster(verification: "review" | "local"): Promise<Surrounded> {
  const directory = await mkdtemp(join(tmpdir(), "signet-bench-"));
  const fake = await startFakeApiServer();
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, fake.kubeconfig(), { mode: 0o600 });
  const settings = { SIGNET_KUBECONFIG: kubeconfig, SIGNET_KUBERNETES_TOKEN_VERIFICATION: verification };
  const started = await surrounded(settings, { bearerToken: await mintToken(fake.kubeconfig()) });
  return {
    ...started,
    async close() {
      await started.close();
      await fake.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function mintToken(text: string): Promise<string> {
  const api = await connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock });
  const signal = AbortSignal.timeout(10_000);
  for (const name of ["istio-system", "demo"])
    await api.create(resources.namespaces, { metadata: { name } }, signal).catch(() => {});
  const account = { namespace: "demo", name: "frontend" };
  await api.create(resources.serviceAccounts, { metadata: account }, signal);
  const request = { namespace: "demo", serviceAccount: "frontend", audiences: ["istio-ca"], expirationSeconds: 3_600 };
  const { token } = await api.requestToken(request, signal);
  api.close();
  return token;
}

/** Starts a CA server whose key is in a real Vault; undefined, once it has said why, where there is none. */
export async function withVault(): Promise<Surrounded | undefined> {
  const found = await findTestVault();
  if (found.skipped !== "") {
    process.stderr.write(`no case with Vault: ${found.skipped}\n`);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), "signet-bench-"));
  const vault = await found.start();
  const { environment } = await prepareVaultCa(vault, { directory });
  const started = await surrounded(environment, {});
  return {
    ...started,
    async close() {
      await started.close();
      await vault.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function surrounded(
  settings: Readonly<Record<string, string>>,
  credential: Partial<BenchReady>,
): Promise<Surrounded> {
  const server = await startBenchChild("given", JSON.stringify(settings), JSON.stringify(credential));
  return { server, close: () => server.stop() };
}
