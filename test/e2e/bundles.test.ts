import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serveFakeCa, subscribeSds } from "@signet/agent/testing";
import { parseCertificates } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testEnv } from "./ca-server-fixture.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const node = process.execPath;

let directory: string;
let closers: (() => unknown)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-bundle-"));
  closers = [];
});

afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  await rm(directory, { recursive: true, force: true });
});

/** Builds a process into one file, and moves that away from everything it was made of. */
async function build(name: string, file: string): Promise<string> {
  const home = join(root, "packages", name);
  await run(node, [join(root, "tools/bundle.ts")], { cwd: home });
  const alone = join(directory, file);
  await copyFile(join(home, "dist", file), alone);
  return alone;
}

/** Starts a bundle; `said` is what it has logged. */
function start(file: string, env: Readonly<Record<string, string>>): { readonly said: () => string } {
  const child = spawn(node, [file], { cwd: directory, env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = once(child, "close");
  closers.push(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  return { said: () => said };
}

async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("a process in one file, away from the checkout", () => {
  it("is an agent that gets a certificate and serves it", async () => {
    const file = await build("agent", "signet-agent.js");
    const ca = await serveFakeCa({ port: 0 });
    closers.push(ca.close);
    await writeFile(join(directory, "root.pem"), ca.rootPem);
    await writeFile(join(directory, "token"), "top.secret.token");
    const socket = join(directory, "sds.sock");
    const agent = start(file, {
      CA_ADDR: `localhost:${ca.port}`,
      CA_ROOT_CA: "root.pem",
      SIGNET_TOKEN_FILE: "token",
      SIGNET_SDS_SOCKET: socket,
      SIGNET_STATUS_LISTEN: "127.0.0.1:0",
    });
    await until(() => (agent.said().includes('"agent started"') ? true : undefined));
    const envoy = subscribeSds(socket, ["default", "ROOTCA"]);
    const held = await envoy.until((secrets) => secrets.size === 2);
    envoy.close();
    expect(parseCertificates(held.get("default")?.chain ?? "")).toHaveLength(1);
  });

  it("is a CA server that makes a root and can sign", async () => {
    const file = await build("ca-server", "signet-ca.js");
    const ca = start(file, testEnv(directory, "https://issuer.invalid"));
    const line = await until(() =>
      ca
        .said()
        .split("\n")
        .find((one) => one.includes('"ca server started"')),
    );
    const ready = await fetch(`http://${JSON.parse(line).readyAddress}/ready`);
    expect(ready.status).toBe(200);
    expect(await readFile(join(directory, "state", "root-cert.pem"), "utf8")).toContain("BEGIN CERTIFICATE");
  });

  it("is the command for people", async () => {
    const file = await build("cli", "signet.js");
    const { stdout } = await run(node, [file, "version"], { cwd: directory });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await run(node, [file, "authz", "lint", "--help"], { cwd: directory })).stdout).toContain(
      "signet authz lint",
    );
  });
});
