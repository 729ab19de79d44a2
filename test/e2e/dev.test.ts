import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwtUnverified } from "@signet/jwt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";
import { type ProgramProcess, spawnShell, spawnSignet } from "./support/signet-process.ts";

const envoy = await findTestEnvoy();
const anyPort = ["ca", "ready", "monitoring", "issuer", "envoy"].flatMap((name) => [`--${name}-port`, "0"]);

let directory = "";
let running: ProgramProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-dev-"));
  running = [];
});

afterEach(async () => {
  for (const { child, exit } of running) {
    child.kill("SIGKILL");
    await exit;
  }
  rmSync(directory, { recursive: true, force: true });
});

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ProgramProcess {
  const started = spawnSignet(args, env, directory);
  running.push(started);
  return started;
}

type DevLine = {
  readonly caAddress: string;
  readonly readyAddress: string;
  readonly monitoringAddress: string;
  readonly rootCertificate: string;
  readonly issuer: string;
  readonly stateDirectory: string;
};

async function startDevJson(args: readonly string[] = []): Promise<{ dev: ProgramProcess; line: DevLine }> {
  const dev = start(["dev", "--json", ...args]);
  const [text] = await dev.printed(/^.*\n/);
  return { dev, line: JSON.parse(text) as DevLine };
}

async function untilAnswered(url: string): Promise<Response> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return response;
    if (attempt === 200) throw new Error(`${url} answers ${response?.status ?? "nothing"}`);
    await sleep(50);
  }
}

describe("signet dev --json", () => {
  test("prints one line when all is ready, and ends on SIGTERM with 0", async () => {
    const { dev, line } = await startDevJson();
    const hostPort = expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(line).toEqual({
      caAddress: hostPort,
      readyAddress: hostPort,
      monitoringAddress: hostPort,
      rootCertificate: expect.stringMatching(/root-cert\.pem$/),
      issuer: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      stateDirectory: expect.stringMatching(/\.signet$/),
    });
    expect(isAbsolute(line.rootCertificate) && isAbsolute(line.stateDirectory)).toBe(true);
    expect(new X509Certificate(readFileSync(line.rootCertificate)).ca).toBe(true);
    expect((await fetch(`http://${line.readyAddress}/ready`)).status).toBe(200);
    expect(await (await fetch(`http://${line.monitoringAddress}/metrics`)).text()).toContain(
      "citadel_server_csr_count",
    );
    expect(await (await fetch(`${line.issuer}/.well-known/openid-configuration`)).json()).toMatchObject({
      issuer: line.issuer,
    });
    dev.child.kill("SIGTERM");
    expect(await dev.exit).toBe(0);
    expect(dev.output.stdout.split("\n")).toHaveLength(2);
  });

  test("keeps keys and tokens to its user", async () => {
    const { line } = await startDevJson();
    const mode = (path: string): string => (statSync(join(line.stateDirectory, path)).mode & 0o777).toString(8);
    expect(["", "ca", "issuer", "tokens"].map(mode)).toEqual(["700", "700", "700", "700"]);
    expect(["issuer/keys.json", "tokens/demo/frontend"].map(mode)).toEqual(["600", "600"]);
  });

  test("comes back after kill -9 with the same root and the same issuer", async () => {
    const { dev, line } = await startDevJson();
    const root = readFileSync(line.rootCertificate, "utf8");
    dev.child.kill("SIGKILL");
    await dev.exit;
    const { line: again } = await startDevJson();
    expect(again.issuer).toBe(line.issuer);
    expect(readFileSync(again.rootCertificate, "utf8")).toBe(root);
  });

  test("leaves the state alone when another one lives from it", async () => {
    const { dev, line } = await startDevJson();
    const second = start(["dev", "--json"]);
    expect(await second.exit).toBe(1);
    expect(second.output.stderr).toContain(`is locked by process ${dev.child.pid}`);
    expect(second.output.stdout).toBe("");
    expect(JSON.parse(readFileSync(join(line.stateDirectory, "issuer.json"), "utf8"))).toEqual({ issuer: line.issuer });
  });

  test("reports every problem with its settings at once and exits with 2", async () => {
    const flags = start(["dev", "--json", "--ca-port", "65536", "--nonsense"]);
    expect(await flags.exit).toBe(2);
    expect(flags.output.stderr).toMatch(/--ca-port/);
    expect(flags.output.stderr).toMatch(/--nonsense/);
    const variables = start(["dev", "--json"], { DEFAULT_WORKLOAD_CERT_TTL: "a day", ISTIO_GPRC_MAXSTREAMS: "-1" });
    expect(await variables.exit).toBe(2);
    expect(variables.output.stderr).toMatch(/DEFAULT_WORKLOAD_CERT_TTL/);
    expect(variables.output.stderr).toMatch(/ISTIO_GPRC_MAXSTREAMS/);
  });
});

describe("signet token", () => {
  test("prints a token of the issuer and nothing else", async () => {
    const { line } = await startDevJson();
    const token = start(["token", "--namespace", "demo", "--service-account", "frontend", "--ttl", "5m"]);
    expect(await token.exit).toBe(0);
    expect(token.output.stderr).toBe("");
    expect(token.output.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(decodeJwtUnverified(token.output.stdout.trim()).claims).toMatchObject({
      iss: line.issuer,
      sub: "system:serviceaccount:demo:frontend",
      aud: ["istio-ca"],
    });
  });

  test("says what to start first where there is no issuer", async () => {
    const token = start(["token", "--namespace", "demo", "--service-account", "frontend"]);
    expect(await token.exit).toBe(1);
    expect(token.output.stderr).toContain("start `signet dev` first");
    expect(token.output.stdout).toBe("");
  });
});

describe.skipIf(envoy.skipped)(`the commands that signet dev prints ${envoy.skipped}`, () => {
  test("start an agent and an Envoy that speak mutual TLS, from another folder and another environment", async () => {
    const dev = start(["dev", ...anyPort]);
    await dev.printed(/Ctrl-C ends it/);
    const [agentCommand = "", envoyCommand = "", ...more] = dev.output.stdout
      .split("\n")
      .filter((text) => / agent --ca-addr | -c .*envoy\.yaml/.test(text));
    expect(more).toEqual([]);
    const [, url = ""] = await dev.printed(/curl (http:\S+)/);
    running.push(spawnShell(agentCommand.trim(), tmpdir()), spawnShell(envoyCommand.trim(), tmpdir()));
    const hello = await (await untilAnswered(url)).text();
    expect(hello).toMatch(
      /^hello spiffe:\/\/cluster\.local\/ns\/demo\/sa\/frontend, certificate [0-9a-f]+ valid until /,
    );
  });
});

describe("signet", () => {
  test.each([
    { args: [], code: 2, stderr: /Usage: signet/ },
    { args: ["frobnicate"], code: 2, stderr: /"frobnicate" is not a command/ },
    { args: ["ca", "--frobnicate"], code: 2, stderr: /--frobnicate/ },
    { args: ["agent", "--secret-ttl", "soon"], code: 2, stderr: /--secret-ttl/ },
  ])("$args exits with $code", async ({ args, code, stderr }) => {
    const signet = start(args);
    expect(await signet.exit).toBe(code);
    expect(signet.output.stderr).toMatch(stderr);
    expect(signet.output.stdout).toBe("");
  });

  test.each([["--help"], ["ca", "--help"], ["agent", "--help"], ["dev", "--help"], ["token", "--help"]])(
    "%s %s prints help and exits with 0",
    async (...args) => {
      const signet = start(args);
      expect(await signet.exit).toBe(0);
      expect(signet.output.stdout).toMatch(/^Usage: signet/);
      expect(signet.output.stderr).toBe("");
    },
  );

  test("says in one sentence that an old Node is too old", async () => {
    // The launcher is what an old Node has to get through, so it is told that it is one.
    const preload = join(directory, "old-node.cjs");
    writeFileSync(
      preload,
      `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });`,
    );
    const signet = start(["token"], { NODE_OPTIONS: `--require ${preload}` });
    expect(await signet.exit).toBe(2);
    expect(signet.output.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(signet.output.stderr).toMatch(/signet needs Node 26 or newer/);
  });
});
