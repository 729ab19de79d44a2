import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFileSet } from "./write-file-set.ts";

let parent: string;
let directory: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "signet-file-set-"));
  directory = join(parent, "certs");
});

afterEach(async () => {
  await rm(parent, { recursive: true, force: true });
});

function write(text: string, more: object = {}): Promise<void> {
  return writeFileSet({ directory, files: { "key.pem": `key ${text}`, "cert.pem": `cert ${text}` }, ...more });
}

async function read(): Promise<readonly string[]> {
  return await Promise.all(["key.pem", "cert.pem"].map((name) => readFile(join(directory, name), "utf8")));
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

describe("a set of files", () => {
  it("is there as a whole, its owner's alone, in a directory that is made for it", async () => {
    await write("1");
    expect(await read()).toEqual(["key 1", "cert 1"]);
    expect(await modeOf(join(directory, "key.pem"))).toBe(0o600);
    expect(await modeOf(directory)).toBe(0o700);
  });

  it("is readable for a group, where there is one", async () => {
    const groupId = process.getegid?.() ?? 0;
    await write("1", { groupId });
    expect(await modeOf(join(directory, "key.pem"))).toBe(0o640);
    expect(await modeOf(join(directory, "..data"))).toBe(0o750);
    expect((await stat(join(directory, "key.pem"))).gid).toBe(groupId);
  });

  it("replaces plain files of the same names, and leaves others alone", async () => {
    await mkdir(directory);
    await writeFile(join(directory, "key.pem"), "old");
    await writeFile(join(directory, "other.txt"), "mine");
    await write("1");
    expect(await read()).toEqual(["key 1", "cert 1"]);
    expect((await lstat(join(directory, "key.pem"))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(directory, "other.txt"), "utf8")).toBe("mine");
  });

  it("is never seen half by a reader that goes through ..data", async () => {
    await write("0");
    let writing = true;
    const seen = new Set<string>();
    const reading = (async () => {
      while (writing) {
        // One look-up of the link, and both files behind it.
        const names = await readdir(join(directory, "..data"));
        expect(names.sort()).toEqual(["cert.pem", "key.pem"]);
        const [key = "", cert = ""] = await read();
        seen.add(key.slice(4) === cert.slice(5) ? "whole" : "between two looks");
      }
    })();
    for (let n = 1; n <= 50; n += 1) await write(String(n));
    writing = false;
    await reading;
    expect(seen).toContain("whole");
    expect(await read()).toEqual(["key 50", "cert 50"]);
  });

  it("keeps one earlier version and no more, and takes away what a killed process has left", async () => {
    await mkdir(join(directory, "..vleft-000000000000"), { recursive: true });
    await writeFile(join(directory, ".key.pem.0123456789ab.tmp"), "");
    for (let n = 1; n <= 5; n += 1) await write(String(n));
    const names = await readdir(directory);
    expect(names.filter((name) => name.startsWith("..v"))).toHaveLength(2);
    expect(names.filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("stays as it was when the new one cannot be written", async () => {
    await write("1");
    const before = (await readdir(directory)).sort();
    // A name that no file can have stands for a disk that is full half-way.
    const files = { "key.pem": "key 2", "no/such/place": "x" };
    const error: unknown = await writeFileSet({ directory, files }).catch((reason: unknown) => reason);
    expect(errorCode(error)).toBe("output-unwritable");
    expect(await read()).toEqual(["key 1", "cert 1"]);
    expect((await readdir(directory)).sort()).toEqual(before);
  });
});
