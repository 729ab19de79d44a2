import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireFileLock } from "./file-lock.ts";

let directory = "";
let path = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-lock-"));
  path = join(directory, "lock");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

/** A process that waits for a line, tries to take the lock, says what came of it, and keeps it. */
function contender(): { child: ChildProcess; ready: Promise<string>; tryNow: () => Promise<string> } {
  const script = `
    const { acquireFileLock } = await import(${JSON.stringify(new URL("./file-lock.ts", import.meta.url).href)});
    await import("node:sqlite");
    console.log("ready");
    process.stdin.once("data", () => {
      acquireFileLock(process.argv[1]).then(() => console.log("held"), (error) => console.log(error.code + ": " + error.message));
    });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  return {
    child,
    ready: nextLine(),
    tryNow() {
      child.stdin.write("go\n");
      return nextLine();
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

describe("acquireFileLock", () => {
  it("gives the lock to one at a time within a process, and again after release", async () => {
    const lock = await acquireFileLock(path);
    await expect(acquireFileLock(path)).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`process ${process.pid} `),
    });
    await expect(acquireFileLock(path)).rejects.toMatchObject({ code: "locked" });
    await lock.release();
    await lock.release();
    const again = await acquireFileLock(path);
    await again.release();
  });

  it("keeps its files to this user", async () => {
    const lock = await acquireFileLock(path);
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o777, name).toBe(0o600);
    }
    await lock.release();
    expect(await readdir(directory)).toEqual(["lock"]);
  });

  it("leaves no exit listener behind", async () => {
    const before = process.listenerCount("exit");
    const lock = await acquireFileLock(path);
    await lock.release();
    expect(process.listenerCount("exit")).toBe(before);
  });

  it("is refused while another process has it, naming that process", async () => {
    const { child, ready, tryNow } = contender();
    expect(await ready).toBe("ready");
    expect(await tryNow()).toBe("held");
    await expect(acquireFileLock(path)).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`process ${child.pid} `),
    });
  });

  it("is free at once when its owner was killed, though the owner's files are still there", async () => {
    const { child, ready, tryNow } = contender();
    await ready;
    expect(await tryNow()).toBe("held");
    await kill(child);
    expect(await readdir(directory)).toEqual(["lock", "lock.owner"]);
    const lock = await acquireFileLock(path);
    await lock.release();
  });

  it("goes to exactly one of several processes that race for the lock of a killed one", async () => {
    const owner = contender();
    await owner.ready;
    expect(await owner.tryNow()).toBe("held");
    for (let round = 0; round < 5; round += 1) {
      const racers = [contender(), contender(), contender()];
      await Promise.all(racers.map((racer) => racer.ready));
      await Promise.all(children.splice(0, children.length - racers.length).map(kill));
      const outcomes = await Promise.all(racers.map((racer) => racer.tryNow()));
      expect(outcomes.filter((outcome) => outcome === "held")).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome.startsWith("locked: "))).toHaveLength(2);
    }
  });

  it.each([
    ["its directory is missing", () => join(directory, "missing", "lock")],
    ["it is a directory", () => directory],
  ])("says so when %s", async (_, where) => {
    await expect(acquireFileLock(where())).rejects.toMatchObject({ code: "lock-unusable" });
  });

  it("holds although nobody can be told who has it", async () => {
    await mkdir(`${path}.owner`);
    const lock = await acquireFileLock(path);
    await expect(acquireFileLock(path)).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining("another process"),
    });
    await lock.release();
    await (await acquireFileLock(path)).release();
  });

  it("does not touch a file that is no lock", async () => {
    await writeFile(path, "important\n");
    await expect(acquireFileLock(path)).rejects.toMatchObject({ code: "lock-unusable" });
    expect((await stat(path)).size).toBe(10);
  });
});
