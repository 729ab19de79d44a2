import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RuntimeError } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CaServerError } from "./errors.ts";
import { openFileState } from "./file-state.ts";

const state = { certificatePem: "certificate", privateKeyPem: "key", rootCertificatesPem: "# roots\nroot\n" };

let parent: string;
let directory: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "signet-state-"));
  directory = join(parent, "state");
});

afterEach(async () => {
  await rm(parent, { recursive: true, force: true });
});

async function codeOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (error instanceof CaServerError || error instanceof RuntimeError) return error.code;
    throw error;
  }
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe("openFileState", () => {
  it("keeps a state, verbatim and for nobody else", async () => {
    const opened = await openFileState(directory);
    expect(await opened.store.load()).toBeUndefined();
    await opened.store.save(state);
    await opened.publishRoot(state.rootCertificatesPem);
    await opened.release();
    expect(await modeOf(directory)).toBe("700");
    expect(await modeOf(join(directory, "ca.json"))).toBe("600");
    expect(await readFile(join(directory, "root-cert.pem"), "utf8")).toBe(state.rootCertificatesPem);

    const again = await openFileState(directory);
    expect(await again.store.load()).toEqual(state);
    await again.release();
  });

  it("replaces the whole state at once and leaves nothing beside it", async () => {
    const { store, release } = await openFileState(directory);
    await store.save(state);
    await store.save({ ...state, privateKeyPem: "another key" });
    expect((await store.load())?.privateKeyPem).toBe("another key");
    await release();
    expect(await readdir(directory)).toEqual(["ca.json", "lock"]);
  });

  it("clears away the key of a start that was killed", async () => {
    await mkdir(directory, { mode: 0o700 });
    await writeFile(join(directory, ".ca.json.0123456789abcdef.tmp"), "key", { mode: 0o600 });
    await (await openFileState(directory)).release();
    expect(await readdir(directory)).toEqual(["lock"]);
  });

  it("is one process's at a time", async () => {
    const { release } = await openFileState(directory);
    expect(await codeOf(() => openFileState(directory))).toBe("locked");
    await release();
    await (await openFileState(directory)).release();
  });

  it.each([
    ["nothing", ""],
    ["half a file", JSON.stringify({ version: 1, ...state }).slice(0, 40)],
    ["another version", JSON.stringify({ version: 2, ...state })],
    ["no key", JSON.stringify({ version: 1, ...state, privateKeyPem: "" })],
    ["a list", "[]"],
    ["null", "null"],
  ])("refuses a file with %s rather than make a new root", async (_, content) => {
    await mkdir(directory, { mode: 0o700 });
    await writeFile(join(directory, "ca.json"), content, { mode: 0o600 });
    const { store, release } = await openFileState(directory);
    expect(await codeOf(() => store.load())).toBe("state-malformed");
    await release();
  });

  it("never quotes the key in an error", async () => {
    await mkdir(directory, { mode: 0o700 });
    await writeFile(join(directory, "ca.json"), 'sesame {"privateKeyPem":', { mode: 0o600 });
    const { store, release } = await openFileState(directory);
    await expect(store.load()).rejects.toThrow(expect.not.stringContaining("sesame"));
    await release();
  });

  it.each([0o604, 0o602, 0o644])("refuses a key of mode %i, which others can reach", async (mode) => {
    const { store, release } = await openFileState(directory);
    await store.save(state);
    await chmod(join(directory, "ca.json"), mode);
    expect(await codeOf(() => store.load())).toBe("state-exposed");
    await release();
  });

  it.runIf(process.geteuid?.() === 0)("refuses a key that somebody else has put there", async () => {
    const { store, release } = await openFileState(directory);
    await store.save(state);
    await chown(join(directory, "ca.json"), 65_534, 65_534);
    expect(await codeOf(() => store.load())).toBe("state-exposed");
    await release();
  });

  it("leaves the root beside the state alone while it is right, and puts it right", async () => {
    const { publishRoot, release } = await openFileState(directory);
    const path = join(directory, "root-cert.pem");
    await publishRoot("root\n");
    const { ino } = await stat(path);
    await publishRoot("root\n");
    expect((await stat(path)).ino).toBe(ino);
    await publishRoot("another root\n");
    expect(await readFile(path, "utf8")).toBe("another root\n");
    await release();
  });

  it("takes access from the group, which Kubernetes gives to files of a volume", async () => {
    const { store, release } = await openFileState(directory);
    await store.save(state);
    await chmod(join(directory, "ca.json"), 0o660);
    expect(await store.load()).toEqual(state);
    expect(await modeOf(join(directory, "ca.json"))).toBe("600");
    await release();
  });
});
