import { execFileSync } from "node:child_process";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensurePrivateDirectory, isFileMissing, readFileCapped, removeTemporaries, writeFileAtomic } from "./files.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-files-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const path = (...names: string[]): string => join(directory, ...names);
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o7777;
const isRoot = process.geteuid?.() === 0;

describe("ensurePrivateDirectory", () => {
  it("creates the directory and its parents for this user alone", async () => {
    await ensurePrivateDirectory(path("a", "b"));
    expect(await modeOf(path("a"))).toBe(0o700);
    expect(await modeOf(path("a", "b"))).toBe(0o700);
    await ensurePrivateDirectory(path("a", "b"));
  });

  it.each([0o777, 0o755, 0o770, 0o500, 0o000])("makes our directory of mode %o private", async (mode) => {
    await mkdir(path("a"));
    await chmod(path("a"), mode);
    if (!isRoot && (mode & 0o400) === 0) return;
    await ensurePrivateDirectory(path("a"));
    expect(await modeOf(path("a"))).toBe(0o700);
  });

  it("refuses a file, naming it", async () => {
    await writeFile(path("a"), "");
    await expect(ensurePrivateDirectory(path("a"))).rejects.toMatchObject({
      code: "file-unwritable",
      message: expect.stringContaining(path("a")),
    });
  });

  it.runIf(process.platform === "linux")("says so where no directory can be made", async () => {
    await expect(ensurePrivateDirectory("/proc/signet/a")).rejects.toMatchObject({ code: "file-unwritable" });
  });

  it("makes a directory that several ask for at once", async () => {
    await Promise.all(Array.from({ length: 8 }, () => ensurePrivateDirectory(path("a", "b", "c"))));
    expect(await modeOf(path("a", "b", "c"))).toBe(0o700);
  });

  it.runIf(isRoot)("refuses a directory of another user, who can write to it", async () => {
    await mkdir(path("a"), { mode: 0o700 });
    await chown(path("a"), 65_534, 65_534);
    await expect(ensurePrivateDirectory(path("a"))).rejects.toMatchObject({ code: "directory-not-private" });
  });
});

describe("removeTemporaries", () => {
  it("removes what killed writes of this file left, and nothing else", async () => {
    const left = ".key.0123456789abcdef.tmp";
    const others = [".key.0123456789abcdef.tmp.old", ".key.tmp", ".keys.0123456789abcdef.tmp", "key"];
    for (const name of [left, ...others]) await writeFile(path(name), "");
    await removeTemporaries(path("key"));
    expect(await readdir(directory)).toEqual([...others].sort());
  });
});

describe("writeFileAtomic", () => {
  it.each([0o600, 0o644, 0o666, 0o400])("writes a file with exactly mode %o, whatever the umask", async (mode) => {
    const script = `
      const { writeFileAtomic } = await import(${JSON.stringify(new URL("./files.ts", import.meta.url).href)});
      process.umask(0o077);
      await writeFileAtomic(process.argv[1], "hello", { mode: ${mode} });
    `;
    execFileSync(process.execPath, ["--input-type=module", "--eval", script, path("file")]);
    expect(await modeOf(path("file"))).toBe(mode);
    expect(await readFile(path("file"), "utf8")).toBe("hello");
  });

  it("replaces what was there, and leaves nothing beside it", async () => {
    await writeFileAtomic(path("file"), "a much longer text", { mode: 0o644 });
    await writeFileAtomic(path("file"), new Uint8Array([1, 2]), { mode: 0o600 });
    expect([...(await readFile(path("file")))]).toEqual([1, 2]);
    expect(await modeOf(path("file"))).toBe(0o600);
    expect(await readdir(directory)).toEqual(["file"]);
  });

  it("replaces a link instead of writing through it", async () => {
    await writeFile(path("target"), "old");
    await symlink(path("target"), path("link"));
    await writeFileAtomic(path("link"), "new", { mode: 0o600 });
    expect(await readFile(path("target"), "utf8")).toBe("old");
    expect(await readFile(path("link"), "utf8")).toBe("new");
  });

  it("keeps the bytes it was given, also when the caller changes them meanwhile", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const writing = writeFileAtomic(path("file"), bytes, { mode: 0o600 });
    bytes.fill(0);
    await writing;
    expect([...(await readFile(path("file")))]).toEqual([1, 2, 3]);
  });

  it("fails without a trace when the directory is missing", async () => {
    const writing = writeFileAtomic(path("missing", "file"), "x", { mode: 0o600 });
    await expect(writing).rejects.toMatchObject({
      code: "file-unwritable",
      message: expect.stringContaining(path("missing", "file")),
      cause: expect.objectContaining({ code: "ENOENT" }),
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it("fails and removes its temporary file when a directory is in the way", async () => {
    await mkdir(path("file"));
    await expect(writeFileAtomic(path("file"), "x", { mode: 0o600 })).rejects.toMatchObject({
      code: "file-unwritable",
    });
    expect(await readdir(directory)).toEqual(["file"]);
  });

  it("a reader sees one of the contents that were written, whole, while writers race", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 2, maxLength: 6 }),
        async (lengths) => {
          await writeFileAtomic(path("file"), "0".repeat(10), { mode: 0o600 });
          const contents = new Set([
            "0".repeat(10),
            ...lengths.map((length, index) => String(index % 10).repeat(length)),
          ]);
          const writing = Promise.all(
            [...contents].map((content) => writeFileAtomic(path("file"), content, { mode: 0o600 })),
          );
          for (let read = 0; read < 5; read += 1) {
            expect(contents.has((await readFileCapped(path("file"), 20_000)).toString())).toBe(true);
          }
          await writing;
          expect(await readdir(directory)).toEqual(["file"]);
        },
      ),
      { numRuns: 10 },
    );
  });
});

describe("readFileCapped", () => {
  it.each([0, 1, 4_095, 4_096, 4_097, 10_000])(
    "reads a file of %d bytes whole at its cap, and refuses it below",
    async (size) => {
      const content = Buffer.alloc(size, "x");
      await writeFile(path("file"), content);
      expect((await readFileCapped(path("file"), size)).equals(content)).toBe(true);
      expect((await readFileCapped(path("file"), size + 1)).equals(content)).toBe(true);
      if (size === 0) return;
      await expect(readFileCapped(path("file"), size - 1)).rejects.toMatchObject({
        code: "file-too-large",
        message: `${path("file")} has more than ${size - 1} bytes`,
      });
    },
  );

  it("does not load a huge file to find it too large", async () => {
    await writeFile(path("file"), "");
    await truncate(path("file"), 2 ** 40);
    await expect(readFileCapped(path("file"), 1_000)).rejects.toMatchObject({ code: "file-too-large" });
  });

  it("reads files that do not tell their size", async () => {
    expect((await readFileCapped("/proc/self/stat", 65_536)).length).toBeGreaterThan(0);
  });

  it("tells a missing file from one that cannot be read", async () => {
    const missing = await readFileCapped(path("file"), 10).catch((error: unknown) => error);
    expect(missing).toMatchObject({ code: "file-unreadable" });
    expect(isFileMissing(missing)).toBe(true);
    const unreadable = await readFileCapped(directory, 10).catch((error: unknown) => error);
    expect(unreadable).toMatchObject({ code: "file-unreadable" });
    expect(isFileMissing(unreadable)).toBe(false);
  });

  it("refuses a named pipe instead of waiting for its writer", async () => {
    execFileSync("mkfifo", [path("pipe")]);
    await expect(readFileCapped(path("pipe"), 10)).rejects.toMatchObject({ code: "file-unreadable" });
  });
});
