import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maxTokenBytes, readTokenFile } from "./token-file.ts";

describe("readTokenFile", () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-token-"));
  });

  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  it.each([
    ["as it is", "a.b.c", "a.b.c"],
    ["without surrounding white space", "\n a.b.c\r\n\n", "a.b.c"],
    ["up to the cap", "t".repeat(maxTokenBytes), "t".repeat(maxTokenBytes)],
  ])("returns the token %s", async (_title, content, token) => {
    const path = join(directory, "token");
    await writeFile(path, content);
    expect(await readTokenFile(path)).toEqual({ kind: "token", token });
  });

  it.each([
    ["is empty", " \n"],
    ["is over the cap", "t".repeat(maxTokenBytes + 1)],
    ["holds a line break", "secret\nsecret"],
    ["holds a header of its own", "secret\r\nx-evil: 1"],
    ["holds a zero", "secret\0"],
    ["holds other than ASCII", "secr\u00e9t"],
  ])("has none when the file %s, and does not quote it", async (_title, content) => {
    const path = join(directory, "bad");
    await writeFile(path, content);
    const result = await readTokenFile(path);
    expect(result.kind).toBe("unavailable");
    expect(JSON.stringify(result)).not.toMatch(/secr|ttt/);
  });

  it.each(["missing", "."])("has none when %j cannot be read as a file", async (name) => {
    expect((await readTokenFile(join(directory, name))).kind).toBe("unavailable");
  });
});
