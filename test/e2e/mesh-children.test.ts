import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";
import { descendantsOf, type RunningProcess, stillRunning } from "./support/process-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const envoy = await findTestEnvoy();

let started: ChildProcess | undefined;
let below: readonly RunningProcess[] = [];
afterEach(async () => {
  for (const { pid } of await stillRunning(below)) {
    process.kill(pid, "SIGKILL");
  }
  started?.kill("SIGKILL");
});

/** Starts the demo and resolves when there is traffic, so that all its processes run. */
async function startDemo(command: readonly [string, ...string[]]): Promise<{ child: ChildProcess; demo: number }> {
  const [file, ...args] = command;
  const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  started = child;
  if (!(await hasLine(child.stdout, "traffic:"))) {
    throw new Error(`the demo ended before there was traffic`);
  }
  child.stdout.resume();
  below = await descendantsOf(pidOf(child));
  const itself = { pid: pidOf(child), parent: 0, command: command.join(" ") };
  const main = [...below, itself].find((one) => /node packages\/cli\/src\/demo\/main\.ts/.test(one.command));
  if (main === undefined) {
    throw new Error("the demo's own process is not to be found");
  }
  return { child, demo: main.pid };
}

async function hasLine(output: NodeJS.ReadableStream, text: string): Promise<boolean> {
  for await (const line of createInterface({ input: output })) {
    if (line.includes(text)) {
      return true;
    }
  }
  return false;
}

// Never 0: to kill(2) that is everyone in our own process group.
function pidOf({ pid }: { readonly pid?: number | undefined }): number {
  if (pid === undefined || pid === 0) {
    throw new Error("no such process");
  }
  return pid;
}

/** The demo's own directory, as the command line of an Envoy names it. */
function demoDirectory(): string {
  return /-c (\S*signet-demo-\w+)\//.exec(below.map(({ command }) => command).join("\n"))?.[1] ?? "";
}

async function expectAllGone(): Promise<void> {
  const directory = demoDirectory();
  expect(directory).not.toBe("");
  for (let waited = 0; waited < 100 && (await stillRunning(below)).length > 0; waited += 1) {
    await sleep(100);
  }
  expect(await stillRunning(below)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
}

function programs(): readonly string[] {
  return below.flatMap(({ command }) => /envoy|signet\.js dev|signet\.js agent/.exec(command)?.[0] ?? []).sort();
}

const direct = ["node", "packages/cli/src/demo/main.ts"] as const;
const throughNpm = ["npm", "run", "-s", "demo"] as const;

describe.skipIf(envoy.skipped)(`nothing outlives the demo ${envoy.skipped}`, () => {
  const cases: readonly (readonly [
    what: string,
    command: readonly [string, ...string[]],
    end: (demo: number, child: ChildProcess) => void,
  ])[] = [
    ["after kill -9 of its process", direct, (demo) => process.kill(demo, "SIGKILL")],
    ["after kill -9 of its process below npm", throughNpm, (demo) => process.kill(demo, "SIGKILL")],
    ["after SIGTERM", direct, (demo) => process.kill(demo, "SIGTERM")],
    ["after SIGTERM to npm", throughNpm, (_demo, child) => child.kill("SIGTERM")],
    ["after Ctrl-C", direct, (demo) => process.kill(demo, "SIGINT")],
  ];

  test.each(cases)("%s", async (_what, command, end) => {
    const { child, demo } = await startDemo(command);
    expect(existsSync(demoDirectory())).toBe(true);
    expect(programs()).toEqual(["envoy", "envoy", "signet.js agent", "signet.js agent", "signet.js dev"]);
    const closed = new Promise((resolve) => child.once("close", resolve));
    end(demo, child);
    await closed;
    await expectAllGone();
  });

  test("after kill -9 of the process that does the work", async () => {
    const { child } = await startDemo(direct);
    const worker = pidOf(below.find(({ command }) => command.includes("demo-process.ts")) ?? {});
    const closed = new Promise((resolve) => child.once("close", resolve));
    process.kill(worker, "SIGKILL");
    expect(await closed).toBe(1);
    await expectAllGone();
  });
});
