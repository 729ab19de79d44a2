import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureEnvoy } from "./ensure-envoy.ts";
import { envoyVersion, envoyWheelFor, unzipEntry } from "./envoy-wheel.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-ensure-envoy-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const signal = AbortSignal.timeout(20_000);

describe("ensureEnvoy", () => {
  test("takes ENVOY before PATH", async () => {
    const named = fakeEnvoy("named/any-name", "9.9.9");
    fakeEnvoy("bin/envoy", "1.1.1");
    const found = await ensureEnvoy(
      { env: { ENVOY: named, PATH: join(directory, "bin") }, progress: neverCalled },
      signal,
    );
    expect(found).toEqual({ kind: "found", path: named, version: "9.9.9" });
  });

  test("does not replace an ENVOY that does not run", async () => {
    fakeEnvoy("bin/envoy", "1.1.1");
    const env = { ENVOY: join(directory, "missing"), PATH: join(directory, "bin") };
    expect(await ensureEnvoy({ env, progress: neverCalled }, signal)).toMatchObject({ kind: "unavailable" });
  });

  test("passes by a program on PATH that is only called envoy", async () => {
    fakeEnvoy("other/envoy", "no version here");
    const path = fakeEnvoy("bin/envoy", "1.2.3-dev");
    const env = { PATH: `${join(directory, "other")}:${join(directory, "bin")}` };
    expect(await ensureEnvoy({ env, progress: neverCalled }, signal)).toEqual({
      kind: "found",
      path,
      version: "1.2.3-dev",
    });
  });

  test("takes the cached one without a word", async () => {
    const hash = envoyWheelFor("linux-x64")?.sha256.slice(0, 8);
    const path = fakeEnvoy(`cache/envoy/${envoyVersion}-${hash}/envoy`, envoyVersion);
    const env = { SIGNET_CACHE: join(directory, "cache") };
    const found = await ensureEnvoy({ env, progress: neverCalled, platform: "linux-x64" }, signal);
    expect(found).toEqual({ kind: "found", path, version: envoyVersion });
  });

  test("says where no Envoy is published", async () => {
    const env = { SIGNET_CACHE: directory };
    const found = await ensureEnvoy({ env, progress: neverCalled, platform: "sunos-x64" }, signal);
    expect(found).toMatchObject({ kind: "unavailable", reason: expect.stringContaining("sunos-x64") });
  });
});

describe("unzipEntry", () => {
  test.each([
    ["stored", 0],
    ["deflated", 8],
  ])("writes a %s entry, executable", async (_name, method) => {
    const archive = join(directory, "a.zip");
    writeFileSync(archive, zipOf([entry("other", "x", 0), entry("folder/file", "#!/bin/sh\necho hi\n", method)]));
    await unzipEntry(archive, "folder/file", join(directory, "out"));
    expect(execFileSync(join(directory, "out"), { encoding: "utf8" })).toBe("hi\n");
    expect(statSync(join(directory, "out")).mode & 0o777).toBe(0o755);
  });

  test("refuses what is no archive, and an archive without the entry", async () => {
    const archive = join(directory, "a.zip");
    writeFileSync(archive, "not a zip");
    await expect(unzipEntry(archive, "x", join(directory, "out"))).rejects.toThrow("not a zip archive");
    writeFileSync(archive, zipOf([entry("other", "x", 0)]));
    await expect(unzipEntry(archive, "x", join(directory, "out"))).rejects.toThrow("holds no x");
  });
});

function neverCalled(line: string): void {
  throw new Error(`unexpected progress: ${line}`);
}

function fakeEnvoy(path: string, version: string): string {
  const absolute = join(directory, path);
  mkdirSync(join(absolute, ".."), { recursive: true });
  writeFileSync(absolute, `#!/bin/sh\necho "$0  version: abc123/${version}/Clean/RELEASE/BoringSSL"\n`);
  chmodSync(absolute, 0o755);
  return absolute;
}

type Entry = { readonly name: string; readonly data: Buffer; readonly method: number };

function entry(name: string, text: string, method: number): Entry {
  return { name, data: method === 8 ? deflateRawSync(text) : Buffer.from(text), method };
}

function zipOf(entries: readonly Entry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, data, method } of entries) {
    const local = Buffer.alloc(30);
    local.write("PK\x03\x04", "latin1");
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.write("PK\x01\x02", "latin1");
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(data.length, 20);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    locals.push(local, Buffer.from(name), data);
    centrals.push(central, Buffer.from(name));
    offset += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt32LE(Buffer.concat(centrals).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...centrals, end]);
}
