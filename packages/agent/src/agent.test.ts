import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode, firstValue, systemClock } from "@signet/runtime";
import { type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { parseCertificates } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningAgent, startAgent } from "./agent.ts";
import { parseAgentSettings } from "./parse-settings.ts";
import { openSdsStream, subscribeSds } from "./testing/sds-test-client.ts";
import { type ServedFakeCa, serveFakeCa } from "./testing/serve-fake-ca.ts";

let directory: string;
let socketPath: string;
let ca: ServedFakeCa;
let logger: FakeLogger;
let agents: RunningAgent[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-agent-"));
  socketPath = join(directory, "uds", "socket");
  ca = await serveFakeCa({ port: 0 });
  await writeFile(join(directory, "root.pem"), ca.rootPem);
  await writeFile(join(directory, "token"), "top.secret.token\n");
  logger = fakeLogger();
  agents = [];
});

afterEach(async () => {
  for (const agent of agents) await agent.stop();
  await ca.close();
  await rm(directory, { recursive: true });
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<RunningAgent> {
  const result = parseAgentSettings([], {
    CA_ADDR: `127.0.0.1:${ca.port}`,
    CA_ROOT_CA: join(directory, "root.pem"),
    SIGNET_TOKEN_FILE: join(directory, "token"),
    SIGNET_SDS_SOCKET: socketPath,
    SIGNET_STATUS_LISTEN: "127.0.0.1:0",
    POD_NAMESPACE: "demo",
    SERVICE_ACCOUNT: "frontend",
    ...env,
  });
  if (result.kind !== "settings") throw new Error(JSON.stringify(result));
  const agent = await startAgent(result.settings, { clock: systemClock, random: Math.random, logger });
  agents.push(agent);
  return agent;
}

async function get(agent: RunningAgent, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${agent.statusAddress.port}${path}`);
  return { status: response.status, body: await response.text() };
}

function serialOf(chain: string | undefined): bigint | undefined {
  return chain === undefined ? undefined : parseCertificates(chain)[0]?.serialNumber;
}

describe("the agent", () => {
  it("gets an SVID with the token of the file and serves it, and is ready then", async () => {
    const agent = await start();
    const envoy = subscribeSds(socketPath, ["default", "ROOTCA"]);
    const held = await envoy.until((secrets) => secrets.size === 2);
    const current = await firstValue(agent.identity, AbortSignal.timeout(5_000));
    expect(serialOf(held.get("default")?.chain)).toBe(current.svid.chain[0].serialNumber);
    expect(held.get("ROOTCA")?.bundle).toContain("BEGIN CERTIFICATE");
    expect(ca.authorizations).toEqual(["Bearer top.secret.token"]);
    expect(await get(agent, "/healthz/ready")).toEqual({ status: 200, body: "" });
    expect((await get(agent, "/metrics")).body).toContain("istio_agent_svids_issued 1\n");
    envoy.close();
  });

  it("pushes every rotation to an open stream, and the trust bundle only when it has changed", async () => {
    await start({ SECRET_TTL: "2s" });
    const stream = openSdsStream(socketPath);
    stream.send({ node: { id: "frontend-1" }, resourceNames: ["ROOTCA"] });
    const first = await stream.next();
    stream.send({ resourceNames: ["ROOTCA"], versionInfo: first.versionInfo, responseNonce: first.nonce });
    const envoy = subscribeSds(socketPath, ["default"]);
    const serials = new Set<bigint | undefined>();
    await envoy.until((secrets) => serials.add(serialOf(secrets.get("default")?.chain)).size >= 4);
    await ca.ca.rotateRoot();
    const second = await stream.next();
    expect(first.resources).toHaveLength(1);
    expect(second.resources).toHaveLength(1);
    expect(second.resources).not.toEqual(first.resources);
    stream.close();
    envoy.close();
  });

  it("waits for a token and for the CA, says what is missing, and recovers by itself", async () => {
    await rm(join(directory, "token"));
    const agent = await start({ SECRET_TTL: "10s" });
    const envoy = subscribeSds(socketPath, ["default"]);
    const served = envoy.until((secrets) => secrets.size === 1);
    while (ca.authorizations.length === 0) await new Promise(setImmediate);
    while (!(await get(agent, "/healthz/ready")).body.includes("request authenticate failure"));
    await writeFile(join(directory, "token"), "a.b.c");
    await served;
    expect(await get(agent, "/healthz/ready")).toEqual({ status: 200, body: "" });
    envoy.close();
  });

  it("writes neither token nor key into its log", async () => {
    await rm(join(directory, "root.pem"));
    await start({ SECRET_TTL: "1s" });
    await writeFile(join(directory, "root.pem"), ca.rootPem);
    const envoy = subscribeSds(socketPath, ["default"]);
    await envoy.until((secrets) => secrets.size === 1);
    const lines = JSON.stringify(logger.lines, (_name, value: unknown) =>
      typeof value === "bigint" ? String(value) : value instanceof Error ? value.message + String(value.cause) : value,
    );
    expect(lines).toContain("SVID issued");
    expect(lines).not.toMatch(/top\.secret\.token|PRIVATE KEY|BEGIN CERTIFICATE/);
    envoy.close();
  });

  it("makes its socket anew when the directory is cleaned, and is not ready meanwhile", async () => {
    const agent = await start();
    const before = subscribeSds(socketPath, ["default"]);
    await before.until((secrets) => secrets.size === 1);
    await rm(join(directory, "uds"), { recursive: true });
    const gone = await get(agent, "/healthz/ready");
    expect([gone.status, gone.body]).toEqual([503, expect.stringMatching(/^sds: ENOENT/)]);
    while ((await get(agent, "/healthz/ready")).status !== 200);
    const after = subscribeSds(socketPath, ["default"]);
    await after.until((secrets) => secrets.size === 1);
    before.close();
    after.close();
    await agent.stop();
    await expect(stat(socketPath)).rejects.toThrow();
  });

  it("is not ready while another's socket is in the place of its own, and leaves that one alone", async () => {
    const agent = await start();
    await rm(socketPath);
    const other = await start({ SIGNET_SDS_SOCKET: join(directory, "uds", "other") });
    await rename(join(directory, "uds", "other"), socketPath);
    while (!(await get(agent, "/healthz/ready")).body.includes("is not our socket"));
    const lost = "a socket is gone and cannot be made anew";
    while (!logger.lines.some(({ message }) => message === lost)) await new Promise(setImmediate);
    await agent.stop();
    expect((await stat(socketPath)).isSocket()).toBe(true);
    await other.stop();
  });

  it.skipIf(process.platform !== "linux")(
    "serves what it has kept in memory (Linux) when it starts while the CA is away, says so, and recovers",
    async () => {
      const memory = await mkdtemp("/dev/shm/signet-agent-");
      try {
        const settings = { SIGNET_IDENTITY_CACHE: memory };
        const first = await start(settings);
        const before = subscribeSds(socketPath, ["default"]);
        const held = await before.until((secrets) => secrets.size === 1);
        before.close();
        await first.stop();
        ca.ca.answerWith(() => {
          throw new Error("away");
        });
        const second = await start(settings);
        const envoy = subscribeSds(socketPath, ["default", "ROOTCA"]);
        const again = await envoy.until((secrets) => secrets.size === 2);
        expect(serialOf(again.get("default")?.chain)).toBe(serialOf(held.get("default")?.chain));
        expect((await get(second, "/healthz/ready")).status).toBe(200);
        expect((await get(second, "/metrics")).body).toContain("istio_agent_identity_stale 1\n");
        ca.ca.answerWith(undefined);
        await envoy.until(
          (secrets) => serialOf(secrets.get("default")?.chain) !== serialOf(held.get("default")?.chain),
        );
        expect((await get(second, "/metrics")).body).toContain("istio_agent_identity_stale 0\n");
        envoy.close();
      } finally {
        await rm(memory, { recursive: true });
      }
    },
  );

  it("stops in order and leaves no socket behind; stopping again does nothing", async () => {
    const agent = await start();
    const stream = openSdsStream(socketPath);
    stream.send({ node: { id: "frontend-1" }, resourceNames: ["default"] });
    await stream.next();
    await Promise.all([agent.stop(), agent.stop()]);
    await agent.ended;
    await expect(stream.next()).rejects.toThrow();
    await expect(stat(socketPath)).rejects.toThrow();
    await expect(get(agent, "/healthz/ready")).rejects.toThrow();
    stream.close();
  });

  it("does not steal the socket of a living agent, and closes what it had opened", async () => {
    const first = await start();
    expect(await start().catch(errorCode)).toBe("socket-in-use");
    expect((await get(first, "/healthz/ready")).status).not.toBe(404);
  });

  it("does not start when the status port is taken, and gives the socket back", async () => {
    const first = await start();
    const other = join(directory, "uds", "other");
    const code = await start({
      SIGNET_SDS_SOCKET: other,
      SIGNET_STATUS_LISTEN: `127.0.0.1:${first.statusAddress.port}`,
    }).catch(errorCode);
    expect(code).toBe("listen-failed");
    await expect(stat(other)).rejects.toThrow();
  });
});
