import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

/** One running process. */
export type RunningProcess = { readonly pid: number; readonly parent: number; readonly command: string };

/** Every running process below `root`, at any depth; those that have ended and wait for their parent do not count. */
export async function descendantsOf(root: number): Promise<readonly RunningProcess[]> {
  const all = await runningProcesses();
  const found = new Map<number, RunningProcess>();
  let grown = true;
  while (grown) {
    const before = found.size;
    for (const one of all) {
      if (one.parent === root || found.has(one.parent)) {
        found.set(one.pid, one);
      }
    }
    grown = found.size > before;
  }
  return [...found.values()];
}

/** Those of `processes` that still run. A process id that has been given to another command does not count. */
export async function stillRunning(processes: readonly RunningProcess[]): Promise<readonly RunningProcess[]> {
  const all = await runningProcesses();
  return processes.filter(({ pid, command }) => all.some((one) => one.pid === pid && one.command === command));
}

async function runningProcesses(): Promise<readonly RunningProcess[]> {
  return existsSync("/proc/self/stat") ? processesInProc() : await processesFromPs();
}

// Slim Linux images have /proc and no ps.
function processesInProc(): readonly RunningProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      // proc_pid_stat(5): "pid (command) state parent ..."; the command may hold anything, so count from its end.
      const stat = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/stat`, "latin1") : "";
      const [state = "Z", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return state === "Z" || stat === "" ? [] : [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      // It ended between the listing and the reading.
      return [];
    }
  });
}

async function processesFromPs(): Promise<readonly RunningProcess[]> {
  const { stdout } = await promisify(execFile)("ps", ["-axww", "-o", "pid=,ppid=,stat=,command="], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, state = "", command = ""] = /^ *(\d+) +(\d+) +(\S+) +(.*)$/.exec(line) ?? [];
    return pid === undefined || state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}
