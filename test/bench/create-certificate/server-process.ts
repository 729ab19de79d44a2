import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CaServer, parseCaServerSettings, startCaServer } from "@signet/ca-server";
import { createLogger, firstValue, formatHostPort, systemClock } from "@signet/runtime";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, privateKeyPem } from "@signet/x509";
import { startOidcIssuer } from "../../e2e/ca-server-fixture.ts";
import { emptyGrpcJsServer, emptyHttp2Server } from "../peers/empty-grpc-js.ts";
import type { BenchQuestion, BenchReady } from "./bench-child.ts";
import { issueCore } from "./issue-core.ts";
import { callOnce } from "./load.ts";

// One side of the benchmark in a process of its own, by role; see bench-child.ts for what it is asked.

const directory = mkdtempSync(join(tmpdir(), "signet-bench-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
process.once("SIGTERM", () => process.exit());
process.once("disconnect", () => process.exit());

let monitoring = "";
const core = await issueCore();
const roles: Readonly<Record<string, () => Promise<BenchReady>>> = {
  core: async () => ({ port: 0, rootPem: "" }),
  "empty grpc-js": emptyGrpcJsServer,
  "empty node:http2": emptyHttp2Server,
  token: () => caServer({}),
  "RSA-2048 root": () => caServer({ SIGNET_SELF_SIGNED_CA_KEY: "rsa-2048" }),
  // With the settings and the credential of the command line.
  given: async () => ({ ...(await caServer(givenSettings())), ...givenCredential() }),
  "client certificate": async () => withClientCertificate(await caServer({})),
};

process.on("message", (question: BenchQuestion) => void answer(question));
const open = roles[process.argv[2] ?? ""];
if (open === undefined) throw new Error(`no such role: ${process.argv[2]}`);
process.send?.(await open());

async function answer(question: BenchQuestion): Promise<void> {
  if (question.kind === "cpu") {
    process.send?.(cpuMicros());
    return;
  }
  if (question.kind === "vault") {
    process.send?.(await vaultMicros());
    return;
  }
  const before = cpuMicros();
  for (let call = 0; call < question.calls; call++) await core(call);
  process.send?.((cpuMicros() - before) / question.calls);
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** A CA server as `signet ca` runs it, logging to standard error, and a token that it accepts. */
async function caServer(env: Readonly<Record<string, string>>): Promise<BenchReady> {
  const issuer = await startOidcIssuer();
  const server = await start({
    SIGNET_CA_LISTEN: "127.0.0.1:0",
    SIGNET_MONITORING_LISTEN: "127.0.0.1:0",
    SIGNET_HTTP_LISTEN: "127.0.0.1:0",
    SIGNET_SERVING_NAMES: "localhost",
    SIGNET_SELF_SIGNED_CA_KEY: "p256",
    SIGNET_STATE_DIR: join(directory, "state"),
    ROOT_CA_DIR: join(directory, "cacerts"),
    TOKEN_ISSUER: issuer.issuer,
    ...env,
  });
  const { pem } = await firstValue(server.trustBundle, AbortSignal.timeout(30_000));
  while (!(await server.ready())) await sleep(200);
  monitoring = formatHostPort(server.addresses.monitoring);
  return {
    port: server.addresses.ca.port,
    rootPem: pem,
    bearerToken: issuer.sign({ exp: Math.floor(Date.now() / 1000) + 3600 }),
  };
}

async function start(env: Readonly<Record<string, string>>): Promise<CaServer> {
  const parsed = parseCaServerSettings({ env, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const logger = createLogger({ name: "ca-server", level: "info" });
  return await startCaServer(parsed.settings, {
    ...{ clock: systemClock, random: Math.random, randomBytes, logger, version: "0.0.0-bench" },
  });
}

function givenSettings(): Readonly<Record<string, string>> {
  return JSON.parse(process.argv[3] ?? "{}");
}

function givenCredential(): Partial<BenchReady> {
  return JSON.parse(process.argv[4] ?? "{}");
}

/** By the server's own metrics. */
async function vaultMicros(): Promise<number> {
  const text = await (await fetch(`http://${monitoring}/metrics`)).text();
  const read = (suffix: string): number => {
    const line = text
      .split("\n")
      .find((each) => each.startsWith(`signet_vault_call_seconds_${suffix}`) && /"sign"/.test(each));
    return Number(line?.split(" ").at(-1));
  };
  return (read("sum") / read("count")) * 1_000_000;
}

/** The same server, called with a certificate that it issued, and without the token. */
async function withClientCertificate({ bearerToken, ...server }: BenchReady): Promise<BenchReady> {
  const key = await generateKeyPair("P-256");
  const csr = createCsr({ key, spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend") });
  const chain = await callOnce({ ...server, ...(bearerToken !== undefined && { bearerToken }) }, csr);
  return { ...server, clientCertificate: { chainPem: chain.join(""), privateKeyPem: privateKeyPem(key, "pkcs8") } };
}
