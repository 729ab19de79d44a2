import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CaFiles, createReloadingCa, type ReloadingCa } from "@signet/ca";
import { FakeClock } from "@signet/runtime/testing";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCacertsDirectory } from "./cacerts-directory.ts";
import { type CacertsWatchOptions, watchCacerts } from "./cacerts-watch.ts";

const now = new Date("2026-11-01T12:00:00Z");

let parent: string;
let directory: string;
let clock: FakeClock;
let lines: string[];
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "signet-cacerts-watch-"));
  directory = join(parent, "cacerts");
  await mkdir(directory);
  clock = new FakeClock(now);
  lines = [];
  stop = new AbortController();
  running = undefined;
});

afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  await rm(parent, { recursive: true, force: true });
});

function filesOf(ca: TestCa, roots: readonly TestCa[]): Record<string, string> {
  return {
    "ca-cert.pem": ca.pem,
    "ca-key.pem": privateKeyPem(ca.key, "pkcs8"),
    "cert-chain.pem": ca.chain.map(certificatePem).join(""),
    "root-cert.pem": roots.map(({ pem }) => pem).join(""),
  };
}

async function write(files: Readonly<Record<string, string>>, into = directory): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(into, name), text, { mode: 0o600 });
}

/** A signing CA with what the directory holds now, and the watch that keeps it there. */
async function follow(options: Partial<CacertsWatchOptions> = {}): Promise<ReloadingCa> {
  const found = await readCacertsDirectory(directory);
  if (found === undefined) throw new Error("the directory holds no CA");
  const signingCa = createReloadingCa(
    { name: "plugged-in", initial: found.files },
    {
      clock,
      randomBytes,
      events: {
        adopted: ({ serialNumber }) => lines.push(`adopted ${serialNumber}`),
        refused: ({ error }) => lines.push(`refused ${error.message.replaceAll(directory, "DIR")}`),
      },
    },
  );
  const events = {
    keyExposed: ({ path }: { path: string }) => lines.push(`exposed ${path.replace(directory, "DIR")}`),
    noticeUnavailable: () => lines.push("no notices"),
  };
  const task = watchCacerts({ directory, signingCa, keyExposed: found.keyExposed, ...options }, { clock, events });
  running = task.run(stop.signal);
  running.catch(() => undefined);
  await clock.untilSleepers();
  return signingCa;
}

/** One more look of the watch, not by notice. */
async function poll(): Promise<void> {
  await clock.advance(10_000);
  // Where a notice came as well, the watch is resting before it looks again.
  await clock.untilSleepers();
  await clock.advance(2_000);
  await clock.untilSleepers();
}

async function untilLines(count: number): Promise<void> {
  while (lines.length < count) {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function serialNumber(ca: TestCa): string {
  const digits = ca.certificate.serialNumber.toString(16);
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}

describe("watchCacerts", () => {
  it("takes over a set that replaces the files one by one, on a notice of the system", async () => {
    const root = await testRoot();
    await write(filesOf(await testIntermediate(root), [root]));
    await follow({ pollMs: Number.POSITIVE_INFINITY });
    const renewed = await testIntermediate(root);
    await write(filesOf(renewed, [root]));
    await untilLines(1);
    expect(lines.at(-1)).toBe(`adopted ${serialNumber(renewed)}`);
  });

  it("finds by looking what no notice said", async () => {
    const root = await testRoot();
    const elsewhere = join(parent, "elsewhere");
    await mkdir(elsewhere);
    await write(filesOf(await testIntermediate(root), [root]), elsewhere);
    for (const name of Object.keys(filesOf(root, []))) await symlink(join(elsewhere, name), join(directory, name));
    await follow();
    const renewed = await testIntermediate(root);
    await write(filesOf(renewed, [root]), elsewhere);
    await poll();
    expect(lines).toEqual([`adopted ${serialNumber(renewed)}`]);
  });

  it("follows a mounted Secret through its symbolic links", async () => {
    const root = await testRoot();
    const mount = async (version: string, ca: TestCa): Promise<void> => {
      await mkdir(join(directory, version));
      await write(filesOf(ca, [root]), join(directory, version));
      await symlink(version, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    await mount("..1", await testIntermediate(root));
    for (const name of Object.keys(filesOf(root, []))) await symlink(join("..data", name), join(directory, name));
    await follow({ pollMs: Number.POSITIVE_INFINITY });
    const renewed = await testIntermediate(root);
    await mount("..2", renewed);
    await rm(join(directory, "..1"), { recursive: true });
    await untilLines(1);
    expect(lines).toEqual([`adopted ${serialNumber(renewed)}`]);
  });

  it("goes on with the old set while files are missing, and takes the new one when it is whole", async () => {
    const root = await testRoot();
    const first = await testIntermediate(root);
    await write(filesOf(first, [root]));
    const signingCa = await follow();
    await unlink(join(directory, "ca-key.pem"));
    await poll();
    await poll();
    expect(lines).toEqual(["refused plugged-in CA directory DIR is incomplete: ca-key.pem missing"]);
    expect(signingCa.health.current()?.state).toBe("degraded");
    expect(signingCa.chain().map(certificatePem)).toEqual([first.pem]);
    const renewed = await testIntermediate(root);
    await write(filesOf(renewed, [root]));
    await poll();
    expect(lines.slice(1)).toEqual([`adopted ${serialNumber(renewed)}`]);
    expect(signingCa.health.current()).toEqual({ state: "good" });
  });

  it("goes on when the directory is gone, and when another takes its place", async () => {
    const root = await testRoot();
    await write(filesOf(await testIntermediate(root), [root]));
    await follow();
    await rm(directory, { recursive: true });
    await poll();
    expect(lines).toContain("refused plugged-in CA directory DIR holds no CA any more");
    expect(lines).toContain("no notices");
    const renewed = await testIntermediate(root);
    await mkdir(directory);
    await write(filesOf(renewed, [root]));
    await poll();
    expect(lines.at(-1)).toBe(`adopted ${serialNumber(renewed)}`);
    const again = await testIntermediate(root);
    await write(filesOf(again, [root]));
    await untilLines(lines.length + 1);
    expect(lines.at(-1)).toBe(`adopted ${serialNumber(again)}`);
  });

  it("tries a refused set again: one that is not yet valid becomes valid by itself", async () => {
    const root = await testRoot();
    await write(filesOf(await testIntermediate(root), [root]));
    await follow();
    const coming = await testIntermediate(root, { notBefore: new Date(now.getTime() + 60_000) });
    await write(filesOf(coming, [root]));
    await poll();
    expect(lines).toEqual(["refused ca-cert.pem is not valid before 2026-11-01T12:01:00.000Z"]);
    await clock.advance(60_000);
    await poll();
    expect(lines.slice(1)).toEqual([`adopted ${serialNumber(coming)}`]);
  });

  it("takes a change of layout like any other", async () => {
    const root = await testRoot();
    await write(filesOf(await testIntermediate(root), [root]));
    await follow();
    const renewed = await testIntermediate(root);
    const files: Pick<CaFiles, "certificatePem"> = { certificatePem: renewed.pem };
    await write({
      "tls.crt": files.certificatePem,
      "tls.key": privateKeyPem(renewed.key, "pkcs8"),
      "ca.crt": root.pem,
    });
    await poll();
    expect(lines).toEqual([`adopted ${serialNumber(renewed)}`]);
  });

  it("says once that others may read the key now", async () => {
    const root = await testRoot();
    const files = filesOf(await testIntermediate(root), [root]);
    await write(files);
    await follow();
    await unlink(join(directory, "ca-key.pem"));
    await writeFile(join(directory, "ca-key.pem"), files["ca-key.pem"] ?? "", { mode: 0o644 });
    await poll();
    await poll();
    expect(lines).toEqual(["exposed DIR/ca-key.pem"]);
  });

  it("ends when asked to", async () => {
    const root = await testRoot();
    await write(filesOf(await testIntermediate(root), [root]));
    await follow();
    stop.abort();
    await expect(running).rejects.toBe(stop.signal.reason);
    expect(clock.sleepers()).toBe(0);
  });
});
