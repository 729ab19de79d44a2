import { chmod, chown, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepareSocketDirectory } from "./socket-directory.ts";

describe("prepareSocketDirectory", () => {
  let base: string;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "signet-uds-"));
  });

  afterEach(async () => {
    await rm(base, { recursive: true });
  });

  async function modeOf(path: string): Promise<string> {
    return ((await stat(path)).mode & 0o777).toString(8);
  }

  it.each([
    [0o600, "700"],
    [0o660, "750"],
    [0o666, "755"],
  ])("creates it for those who may use a socket of mode %o", async (socketMode, expected) => {
    const directory = join(base, "a", "b");
    expect(await prepareSocketDirectory(join(directory, "socket"), socketMode)).toBeUndefined();
    expect(await modeOf(directory)).toBe(expected);
  });

  it("takes the write rights of others from one that is ours, and leaves the rest", async () => {
    const directory = join(base, "ours");
    await mkdir(directory);
    await chmod(directory, 0o777);
    expect(await prepareSocketDirectory(join(directory, "socket"), 0o660)).toBeUndefined();
    expect(await modeOf(directory)).toBe("755");
  });

  it("leaves one alone that is ours and shared on purpose, such as /tmp to root, and reports it", async () => {
    const directory = join(base, "tmp");
    await mkdir(directory);
    await chmod(directory, 0o1777);
    expect(await prepareSocketDirectory(join(directory, "socket"), 0o660)).toEqual({ directory, mode: "1777" });
    expect((await stat(directory)).mode & 0o7777).toBe(0o1777);
  });

  it("fails when it cannot be made", async () => {
    await writeFile(join(base, "file"), "");
    const code = await prepareSocketDirectory(join(base, "file", "socket"), 0o660).catch(errorCode);
    expect(code).toBe("socket-directory-unusable");
  });

  it("reports one of another owner that others can write to, and leaves it alone", async () => {
    // /tmp is root's; only root can give a directory of its own away.
    const directory = process.geteuid?.() === 0 ? join(base, "theirs") : tmpdir();
    if (process.geteuid?.() === 0) {
      await mkdir(directory);
      await chmod(directory, 0o1777);
      await chown(directory, 1337, 1337);
    }
    expect(await prepareSocketDirectory(join(directory, "socket"), 0o660)).toEqual({ directory, mode: "1777" });
    expect(await modeOf(directory)).toBe("777");
  });
});
