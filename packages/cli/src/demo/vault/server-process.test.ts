import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-server-process-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const module = join(import.meta.dirname, "server-process.ts");

async function start(...command: [string, ...string[]]): Promise<ServerProcess> {
  return await startServerProcess({ command, env: {}, logFile: join(directory, "log"), directory });
}

/** A process of its own that starts a server, and the server's process id. */
async function startInOther(): Promise<{ readonly other: ChildProcess; readonly pid: number }> {
  const script = `
    import { startServerProcess } from ${JSON.stringify(module)};
    const [directory] = process.argv.slice(1);
    const command = ["sleep", "1000"];
    const server = await startServerProcess({ command, env: {}, logFile: directory + "/log", directory });
    console.log(server.pid);
    if (process.argv.includes("paused")) server.pause();
    setInterval(() => {}, 1000);
  `;
  const other = spawn(process.execPath, ["--input-type=module", "-e", script, "--", directory, "paused"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: other.stdout }), "line");
  return { other, pid: Number(line) };
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.each(["SIGKILL", "SIGTERM"] as const)(
  "ends with the process that started it, after %s, even paused",
  async (how) => {
    const { other, pid } = await startInOther();
    expect(runs(pid)).toBe(true);
    other.kill(how);
    await expect.poll(() => runs(pid), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => existsSync(directory), { timeout: 20_000 }).toBe(false);
  },
);

test("ends with the process that started it, where its directory is gone already", async () => {
  const { other, pid } = await startInOther();
  await rm(directory, { recursive: true });
  other.kill("SIGKILL");
  await expect.poll(() => runs(pid), { timeout: 20_000 }).toBe(false);
  expect(existsSync(directory)).toBe(false);
});

test("says how the server ended, and what it said", async () => {
  const server = await start("sh", "-c", "echo to be or; echo not >&2; exit 7");
  expect([await server.ended, server.running()]).toEqual([7, false]);
  expect(server.logTail()).toBe("to be or\nnot");
  // It is gone, and so there is nothing to do.
  server.pause();
  await server.kill();
  expect(existsSync(directory)).toBe(true);
});

test("kill ends it, also while it is paused", async () => {
  const server = await start("sleep", "1000");
  server.pause();
  await server.kill();
  expect([await server.ended, runs(server.pid)]).toEqual([137, false]);
});

test("stop lets it end by itself, also while it is paused", async () => {
  const server = await start("sh", "-c", 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done');
  await expect.poll(() => server.logTail(), { timeout: 20_000 }).toBe("ready");
  server.pause();
  await server.stop();
  expect(await server.ended).toBe(9);
});

test("stop kills one that does not listen", async () => {
  const server = await start("sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 0.05; done');
  await expect.poll(() => server.logTail(), { timeout: 20_000 }).toBe("ready");
  await server.stop();
  expect(await server.ended).toBe(137);
});
