import { type ChildProcess, fork } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { makeDemoDirectory, removeDemoDirectory } from "./demo-directory.ts";

// Two processes, each the watchdog of the other. This one does nothing but wait, so whoever ends it, ends the demo: the
// other notices that the channel between them closes. The other leads a process group of its own, with the CA server,
// the agents and the Envoys in it, and this one ends the group whatever becomes of its leader.
const graceMs = 10_000;
// Ctrl-C reaches this process from the terminal and from npm as well; only a later one means that it takes too long.
const sameSignalMs = 500;

const directory = makeDemoDirectory();
const program = fileURLToPath(new URL("./demo-process.ts", import.meta.url));
const demo = fork(program, [directory, ...process.argv.slice(2)], {
  detached: true,
  stdio: ["ignore", "inherit", "inherit", "ipc"],
});

let stopped: { readonly by: NodeJS.Signals; readonly at: number } | undefined;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (stopped === undefined) {
      stopped = { by: name, at: performance.now() };
      demo.kill("SIGTERM");
      setTimeout(() => endGroup(demo), graceMs).unref();
    } else if (performance.now() - stopped.at > sameSignalMs) {
      endGroup(demo);
    }
  });
}

demo.once("exit", async (code) => {
  endGroup(demo);
  await removeDemoDirectory(directory);
  process.exitCode = stopped === undefined ? (code ?? 1) : 128 + constants.signals[stopped.by];
});

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) {
      process.kill(-pid, "SIGKILL");
    }
  } catch {
    // Nobody is left in it.
  }
}
