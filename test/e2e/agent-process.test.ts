import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openSdsStream, type ServedFakeCa, serveFakeCa, subscribeSds } from "@signet/agent/testing";
import { parseCertificates } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ProgramProcess, spawnSignet } from "./support/signet-process.ts";

const istioSocket = "var/run/secrets/workload-spiffe-uds/socket";

let directory: string;
let ca: ServedFakeCa;
let agents: ProgramProcess[];

beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => {
    for (const { output } of agents) process.stderr.write(output.stderr);
  });
  directory = mkdtempSync(join(tmpdir(), "signet-"));
  ca = await serveFakeCa({ port: 0 });
  writeFileSync(join(directory, "root.pem"), ca.rootPem);
  writeFileSync(join(directory, "token"), "top.secret.token");
  agents = [];
});

afterEach(async () => {
  for (const { child, exit } of agents) {
    child.kill("SIGKILL");
    await exit;
  }
  await ca.close();
  rmSync(directory, { recursive: true });
});

/** Starts an agent in the test's directory, where Istio's relative paths lead. */
function spawnAgent(env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): ProgramProcess {
  const agent = spawnSignet(
    ["agent", ...args],
    {
      CA_ADDR: `localhost:${ca.port}`,
      CA_ROOT_CA: "root.pem",
      SIGNET_TOKEN_FILE: "token",
      SIGNET_STATUS_LISTEN: "127.0.0.1:0",
      SECRET_TTL: "2s",
      ...env,
    },
    directory,
  );
  agents.push(agent);
  return agent;
}

type LogLine = { readonly msg: string; readonly [field: string]: unknown };

/** The first log line with this message. */
async function logged(agent: ProgramProcess, message: string): Promise<LogLine> {
  for (;;) {
    const lines = agent.output.stderr.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
    const found = lines.map((line): LogLine => JSON.parse(line)).find(({ msg }) => msg === message);
    if (found !== undefined) return found;
    if (agent.child.exitCode !== null || agent.child.signalCode !== null)
      throw new Error(`the agent ended: ${agent.output.stderr}`);
    await sleep(10);
  }
}

function serialOf(chain: string | undefined): bigint | undefined {
  return parseCertificates(chain ?? "")[0]?.serialNumber;
}

describe("signet agent", () => {
  test("serves on Istio's path, rotates, and ends in order on SIGTERM", async () => {
    const agent = spawnAgent({ SIGNET_LOG_LEVEL: "debug" });
    const { statusAddress } = await logged(agent, "agent started");
    const envoy = subscribeSds(join(directory, istioSocket), ["default", "ROOTCA"]);
    const serials = new Set<bigint | undefined>();
    const keys = new Set<string | undefined>();
    await envoy.until((held) => {
      if (held.size < 2) return false;
      keys.add(held.get("default")?.key);
      return serials.add(serialOf(held.get("default")?.chain)).size >= 4;
    });
    expect(keys.size).toBe(4);
    expect((await fetch(`http://${statusAddress}/healthz/ready`)).status).toBe(200);

    agent.child.kill("SIGTERM");
    expect(await agent.exit).toBe(0);
    envoy.close();
    expect(() => statSync(join(directory, istioSocket))).toThrow();
    expect(agent.output.stdout).toBe("");
    const [key = ""] = keys;
    expect(agent.output.stderr).not.toContain(key.split("\n")[1]);
    expect(agent.output.stderr).not.toMatch(/top\.secret\.token|PRIVATE KEY|BEGIN CERTIFICATE/);
  });

  test("is replaced after kill -9: the stale socket goes, and a client's old version does not matter", async () => {
    const first = spawnAgent();
    await logged(first, "agent started");
    const before = openSdsStream(join(directory, istioSocket));
    before.send({ node: { id: "frontend" }, resourceNames: ["default"] });
    const { versionInfo } = await before.next();
    first.child.kill("SIGKILL");
    await first.exit;
    before.close();
    expect(statSync(join(directory, istioSocket)).isSocket()).toBe(true);

    await logged(spawnAgent(), "agent started");
    const after = openSdsStream(join(directory, istioSocket));
    after.send({ node: { id: "frontend" }, resourceNames: ["default"], versionInfo });
    const response = await after.next();
    expect(response.versionInfo).not.toBe(versionInfo);
    expect(response.resources).toHaveLength(1);
    after.close();
  });

  test("leaves the socket of a living agent alone and exits with 1", async () => {
    const first = spawnAgent();
    await logged(first, "agent started");
    const second = spawnAgent();
    expect(await second.exit).toBe(1);
    expect(second.output.stderr).toContain("socket-in-use");
    const envoy = subscribeSds(join(directory, istioSocket), ["default"]);
    await envoy.until((held) => held.size === 1);
    envoy.close();
  });

  test("outlasts a CA that comes late, goes away past the expiry and comes back", async () => {
    const { port } = ca;
    await ca.close();
    const agent = spawnAgent();
    const { statusAddress } = await logged(agent, "agent started");
    const envoy = subscribeSds(join(directory, istioSocket), ["default"]);
    await logged(agent, "SVID request failed and there is no valid SVID");
    expect((await fetch(`http://${statusAddress}/healthz/ready`)).status).toBe(503);

    ca = await serveFakeCa({ port });
    writeFileSync(join(directory, "root.pem"), ca.rootPem);
    const first = serialOf((await envoy.until((held) => held.size === 1)).get("default")?.chain);
    await ca.close();
    await sleep(3_000);
    expect(await (await fetch(`http://${statusAddress}/healthz/ready`)).text()).toMatch(/^svid: expired at/);

    ca = await serveFakeCa({ port });
    writeFileSync(join(directory, "root.pem"), ca.rootPem);
    await envoy.until((held) => serialOf(held.get("default")?.chain) !== first);
    expect((await fetch(`http://${statusAddress}/healthz/ready`)).status).toBe(200);
    envoy.close();
  });

  test("ends on SIGTERM also while a CA accepts its connection and never says a word", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const agent = spawnAgent({ CA_ADDR: `127.0.0.1:${port}` });
    await logged(agent, "agent started");
    while (sockets.length === 0) await sleep(10);
    agent.child.kill("SIGTERM");
    expect(await Promise.race([agent.exit, sleep(5_000, "still there")])).toBe(0);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  test("names every problem of its settings and exits with 2", async () => {
    const agent = spawnAgent({ SECRET_TTL: "soon", WORKLOAD_RSA_KEY_SIZE: "512" }, ["--trust-domain", "NO"]);
    expect(await agent.exit).toBe(2);
    for (const name of ["SECRET_TTL", "WORKLOAD_RSA_KEY_SIZE", "--trust-domain"]) {
      expect(agent.output.stderr).toContain(name);
    }
    expect(agent.output.stdout).toBe("");
  });

  test("prints its settings with --help", async () => {
    const agent = spawnAgent({}, ["--help"]);
    expect(await agent.exit).toBe(0);
    for (const name of ["CA_ADDR", "SIGNET_SDS_SOCKET", "--secret-ttl"]) expect(agent.output.stdout).toContain(name);
  });

  test("tells a person what it serves to whom, and lets others wait for it", async () => {
    const agent = spawnAgent({ SECRET_TTL: "1h" });
    const { statusAddress } = await logged(agent, "agent started");
    const address = ["--status-addr", String(statusAddress)];
    const run = async (args: readonly string[]): Promise<{ readonly code: unknown; readonly stdout: string }> => {
      const command = spawnSignet([...args, ...address], {}, directory);
      agents.push(command);
      return { code: await command.exit, stdout: command.output.stdout };
    };
    expect(await run(["agent", "wait", "--timeout", "30s"])).toEqual({ code: 0, stdout: "" });
    const envoy = subscribeSds(join(directory, istioSocket), ["default"]);
    await envoy.until((secrets) => secrets.size === 1);
    const { code, stdout } = await run(["agent", "status"]);
    expect(code).toBe(0);
    expect(stdout).toContain("identity   spiffe://cluster.local/ns/demo/sa/frontend\n");
    expect(stdout).toMatch(/^clients {4}test-client: default, /m);
    const json = await run(["agent", "status", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ state: "serving", streams: [{ nodeId: "test-client" }] });
    envoy.close();
    const quit = await fetch(`http://${statusAddress}/quitquitquit`, { method: "POST" });
    expect(await quit.text()).toBe("OK");
    expect(await agent.exit).toBe(0);
    expect((await run(["agent", "status"])).code).toBe(1);
    expect((await run(["agent", "wait", "--timeout", "100ms"])).code).toBe(1);
  });
});
