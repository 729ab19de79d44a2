import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";
import { descendantsOf } from "./support/process-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const envoy = await findTestEnvoy();

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-docs-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** The shell blocks of a Markdown file, in order. */
function shellBlocks(path: string): readonly string[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block.trim());
}

function blockWith(path: string, part: string): string {
  const [block, ...more] = shellBlocks(path).filter((text) => text.includes(part));
  if (block === undefined || more.length > 0) throw new Error(`${path} has not one block with ${part}`);
  return block;
}

/** What a reader has who follows the README in the checkout, with state and ports that disturb nobody. */
function readersEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const listen = Object.fromEntries(
    ["CA", "MONITORING", "HTTP", "STATUS"].map((name) => [`SIGNET_${name}_LISTEN`, "127.0.0.1:0"]),
  );
  const path = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return { PATH: path, HOME: process.env.HOME, SIGNET_STATE_DIR: directory, ...listen, ...more };
}

/** Runs a block until its log has a line with `message`, and ends it. */
async function runUntilLogged(block: string, message: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn("sh", ["-c", block], { cwd: root, env, stdio: ["ignore", "ignore", "pipe"] });
  const lines: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      lines.push(line);
      if (line.includes(`"msg":"${message}"`)) return;
    }
    throw new Error(`ended without ${message}:\n${lines.join("\n")}`);
  } finally {
    for (const { pid } of await descendantsOf(child.pid ?? 0)) process.kill(pid, "SIGKILL");
    child.kill("SIGKILL");
  }
}

describe("the README's commands", () => {
  test("are all known to a test", () => {
    // Those that are not run here are run by mesh.test.ts, dev.test.ts, jwt.test.ts and by whoever runs this.
    const elsewhere = ["npm ci && npm run demo", "npm ci && npm test", "npx signet dev"];
    const here = ["npx signet token", "npx signet ca", "npx signet agent"];
    for (const block of shellBlocks("README.md")) {
      const known = elsewhere.includes(block) || block.startsWith("npx signet jwt ");
      expect(known || here.some((command) => block.includes(command)), block).toBe(true);
    }
  });

  test("start a CA server", async () => {
    const block = blockWith("README.md", "npx signet ca").replace("/var/lib/signet", directory);
    await runUntilLogged(block, "ca server started", readersEnvironment());
  });

  test("start an agent", async () => {
    const env = readersEnvironment({ SIGNET_SDS_SOCKET: join(directory, "sds.sock") });
    await runUntilLogged(blockWith("README.md", "npx signet agent"), "agent started", env);
  });

  test("print a token", async () => {
    const dev = spawn("signet", ["dev", "--json"], { env: readersEnvironment(), stdio: ["ignore", "pipe", "ignore"] });
    try {
      for await (const _ of createInterface({ input: dev.stdout })) break;
      const block = blockWith("README.md", "npx signet token");
      const { stdout } = await promisify(execFile)("sh", ["-c", block], { cwd: root, env: readersEnvironment() });
      expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    } finally {
      dev.kill("SIGKILL");
    }
  });
});

describe.skipIf(envoy.skipped)(`the Envoy bootstraps ${envoy.skipped}`, () => {
  test("are good after the substitution that their README shows", async () => {
    const [substitution = "", start = ""] = blockWith("deploy/envoy/README.md", "sed ").split("\nenvoy ");
    expect(start).toContain("-c /tmp/backend.yaml");
    const inDirectory = (text: string): string => text.replaceAll("/tmp/", `${directory}/`);
    await promisify(execFile)("sh", ["-c", inDirectory(substitution)], { cwd: root });
    const args = ["--mode", "validate", ...inDirectory(start).split(" ")];
    const { stderr } = await promisify(execFile)(envoy.path, args);
    expect(stderr).not.toMatch(/deprecated/i);
  });
});
