import { spawn } from "node:child_process";
import { type Clock, readFileCapped, withDeadline } from "@signet/runtime";
import { AgentError } from "../errors.ts";

/** How a program is told that its files have changed. */
export type ReloadHook =
  /** A line for `/bin/sh`. */
  | { readonly kind: "command"; readonly command: string }
  /** A signal, such as SIGHUP, to the process whose number is in a file. */
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals; readonly pidFile: string };

const maxPidFileBytes = 64;
const maxOutputCharacters = 1_000;
const deadlineMs = 30_000;

/**
 * Tells a program that its files have changed, and returns once it knows. A command that does not end within 30 seconds is
 * killed with all that it started.
 * @throws AgentError `reload-failed`; RuntimeError `deadline-exceeded`, `file-unreadable`
 */
export async function runReloadHook(hook: ReloadHook, clock: Clock, signal: AbortSignal): Promise<void> {
  switch (hook.kind) {
    case "command":
      return await withDeadline(
        { clock, ms: deadlineMs, what: "the reload command" },
        (limit) => runCommand(hook.command, limit),
        signal,
      );
    case "signal": {
      const text = (await readFileCapped(hook.pidFile, maxPidFileBytes)).toString("utf8").trim();
      const pid = Number(text);
      // 0 and negative numbers stand for groups of processes, 1 for the machine or the pod.
      if (!/^\d{1,10}$/.test(text) || pid <= 1 || pid === process.pid) {
        throw new AgentError("reload-failed", `${hook.pidFile} does not hold the number of a process`);
      }
      try {
        process.kill(pid, hook.signal);
      } catch (error) {
        throw new AgentError("reload-failed", `process ${pid} cannot be sent ${hook.signal}`, { cause: error });
      }
    }
  }
}

function runCommand(command: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    let said = "";
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, maxOutputCharacters);
    });
    child.once("error", (cause) =>
      reject(new AgentError("reload-failed", "the reload command cannot start", { cause })),
    );
    child.once("close", (code, killedBy) => {
      signal.removeEventListener("abort", kill);
      if (code === 0) resolve();
      else reject(new AgentError("reload-failed", `the reload command ended with ${code ?? killedBy}: ${said.trim()}`));
    });
  });
}
