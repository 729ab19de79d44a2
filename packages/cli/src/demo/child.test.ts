import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Child, childEnvironment, startChild, whenReady } from "./child.ts";

let directory = "";
let unexpected: Error[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-child-"));
  unexpected = [];
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function start(script: string): Child {
  const onUnexpectedEnd = (error: Error): number => unexpected.push(error);
  const command = ["sh", "-c", script] as const;
  return startChild({ name: "a child", command, env: childEnvironment({}), logDirectory: directory, onUnexpectedEnd });
}

describe("startChild", () => {
  test("gives the first line of output", async () => {
    const child = start("echo ready; echo more; exec sleep 60");
    expect(await child.firstLine).toBe("ready");
    await child.kill();
    expect(await child.ended).toBe("SIGKILL");
    expect(unexpected).toEqual([]);
  });

  test("reports an end that nobody asked for, with the end of the log", async () => {
    const child = start("echo oh no >&2; exit 3");
    expect(await child.ended).toBe("exit code 3");
    expect(unexpected.map(String)).toEqual([
      expect.stringMatching(/a child ended by itself \(exit code 3\).*\noh no$/),
    ]);
    expect(readFileSync(child.logFile, "utf8")).toBe("oh no\n");
    await expect(child.firstLine).rejects.toThrow("exit code 3");
  });

  test("reports a program that cannot be started", async () => {
    const onUnexpectedEnd = (error: Error): number => unexpected.push(error);
    const command = [join(directory, "missing")] as const;
    const child = startChild({ name: "a child", command, env: {}, logDirectory: directory, onUnexpectedEnd });
    expect(await child.ended).toContain("ENOENT");
    expect(unexpected).toHaveLength(1);
  });

  test("is ended when it does not become ready", async () => {
    const child = start("exec sleep 60");
    await expect(whenReady(child, () => Promise.reject(new Error("not today")))).rejects.toThrow("not today");
    expect(await child.ended).toBe("SIGKILL");
    expect(unexpected).toEqual([]);
  });

  test("stops politely", async () => {
    const child = start("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    await child.firstLine;
    await child.stop();
    expect(await child.ended).toBe("exit code 7");
    expect(unexpected).toEqual([]);
  });
});
