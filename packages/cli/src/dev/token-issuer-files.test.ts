import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readIssuerUrl, tokenIssuerFiles, writeIssuerUrl } from "./token-issuer-files.ts";

let stateDirectory: string;

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), "signet-issuer-"));
});

afterEach(async () => {
  await rm(stateDirectory, { recursive: true });
});

describe("readIssuerUrl", () => {
  it("gives back what was written, and nothing where nothing was", async () => {
    expect(await readIssuerUrl(stateDirectory)).toBeUndefined();
    await writeIssuerUrl(stateDirectory, "http://127.0.0.1:15080");
    expect(await readIssuerUrl(stateDirectory)).toBe("http://127.0.0.1:15080");
  });

  it.each(["", "{}", "null", "{", '{"issuer":1}', '{"issuer":""}'])("takes no issuer from %j", async (text) => {
    await writeFile(tokenIssuerFiles(stateDirectory).issuer, text);
    await expect(readIssuerUrl(stateDirectory)).rejects.toMatchObject({ code: "state-damaged" });
  });
});
