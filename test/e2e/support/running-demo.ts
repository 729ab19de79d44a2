import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { descendantsOf, type RunningProcess, stillRunning } from "./process-tree.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A demo that has come as far as its traffic, so that all its processes run. */
export interface RunningDemo {
  /** What was started: the demo, or npm. */
  readonly child: ChildProcess;
  /** Process id of the demo itself. */
  readonly pid: number;
  /** Everything below `child`. */
  readonly below: readonly RunningProcess[];
  /** The demo's own directory, as the command line of an Envoy names it. */
  readonly directory: string;
  /** Process id of the one process below whose command line has this in it. */
  pidOf(command: string): number;
  /** Waits until nothing of it is left, neither a process nor a file. */
  expectAllGone(): Promise<void>;
  /** Ends what is left of it. */
  close(): Promise<void>;
}

/** Starts the demo and resolves when there is traffic. */
export async function startDemo(command: readonly [string, ...string[]]): Promise<RunningDemo> {
  const [file, ...args] = command;
  const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  if (!(await hasLine(child.stdout, "traffic:"))) {
    throw new Error(`the demo ended before there was traffic`);
  }
  child.stdout.resume();
  const childPid = checkPid(child.pid);
  const below = await descendantsOf(childPid);
  const itself = { pid: childPid, parent: 0, command: command.join(" ") };
  const find = (isIt: (command: string) => boolean): number =>
    checkPid([...below, itself].find((one) => isIt(one.command))?.pid);
  const directory = /-c (\S*signet-demo-\w+)\//.exec(below.map((one) => one.command).join("\n"))?.[1] ?? "";
  return {
    ...{ child, below, directory },
    pid: find((one) => /node packages\/cli\/src\/demo\/main\.ts/.test(one)),
    pidOf: (part) => find((one) => one.includes(part)),
    async expectAllGone() {
      expect(directory).not.toBe("");
      for (let waited = 0; waited < 100 && (await stillRunning(below)).length > 0; waited += 1) {
        await sleep(100);
      }
      expect(await stillRunning(below)).toEqual([]);
      expect(existsSync(directory)).toBe(false);
    },
    async close() {
      for (const { pid } of await stillRunning(below)) {
        process.kill(pid, "SIGKILL");
      }
      child.kill("SIGKILL");
    },
  };
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
function checkPid(pid: number | undefined): number {
  if (pid === undefined || pid === 0) {
    throw new Error("no such process");
  }
  return pid;
}
