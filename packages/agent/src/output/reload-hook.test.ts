import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode, systemClock } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ReloadHook, runReloadHook } from "./reload-hook.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-reload-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function outcomeOf(hook: ReloadHook, signal = new AbortController().signal): Promise<string | undefined> {
  const error: unknown = await runReloadHook(hook, systemClock, signal).catch((reason: unknown) => reason);
  return error === undefined ? "told" : (errorCode(error) ?? String(error));
}

describe("a reload command", () => {
  it("is a line of the shell, and tells by its exit code", async () => {
    const file = join(directory, "told");
    expect(await outcomeOf({ kind: "command", command: `echo yes > ${file} && true` })).toBe("told");
    expect(await readFile(file, "utf8")).toBe("yes\n");
    expect(await outcomeOf({ kind: "command", command: "echo no >&2; exit 3" })).toBe("reload-failed");
  });

  it("says what the command said, in part", async () => {
    const hook = { kind: "command", command: "echo bad config >&2; exit 1" } as const;
    await expect(runReloadHook(hook, systemClock, new AbortController().signal)).rejects.toThrow(
      "ended with 1: bad config",
    );
  });

  it("is ended with all that it started", async () => {
    const stop = new AbortController();
    const file = join(directory, "pid");
    const running = outcomeOf({ kind: "command", command: `sleep 600 & echo $! > ${file}; wait` }, stop.signal);
    let pid = 0;
    while (pid === 0) pid = Number(await readFile(file, "utf8").catch(() => "0"));
    stop.abort();
    await running;
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        break;
      }
      // Killed, and perhaps not buried yet by whoever has inherited it.
      if ((await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "Z")).includes(") Z")) break;
      await new Promise(setImmediate);
    }
  });
});

describe("a reload signal", () => {
  it("goes to the process whose number is in the file", async () => {
    const child = spawn("/bin/sh", ["-c", "trap 'exit 7' USR1; echo up; while :; do sleep 0.05; done"]);
    await once(child.stdout, "data");
    const pidFile = join(directory, "pid");
    await writeFile(pidFile, `${child.pid}\n`);
    const ended = once(child, "exit");
    expect(await outcomeOf({ kind: "signal", signal: "SIGUSR1", pidFile })).toBe("told");
    expect((await ended)[0]).toBe(7);
    expect(await outcomeOf({ kind: "signal", signal: "SIGUSR1", pidFile })).toBe("reload-failed");
  });

  it.each(["", "0", "1", "-1", "nginx", "99999999999", String(process.pid)])("goes nowhere for %j", async (text) => {
    const pidFile = join(directory, "pid");
    await writeFile(pidFile, text);
    expect(await outcomeOf({ kind: "signal", signal: "SIGHUP", pidFile })).toBe("reload-failed");
  });

  it("fails without the file", async () => {
    const pidFile = join(directory, "none");
    expect(await outcomeOf({ kind: "signal", signal: "SIGHUP", pidFile })).toBe("file-unreadable");
  });
});
