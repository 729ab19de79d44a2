import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bindService, connect, type GrpcListener, maxSocketPathBytes, plaintextCredentials, serve } from "./index.ts";

let directory: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-socket-"));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true, force: true });
});

async function serveOn(socketPath: string, mode = 0o600): Promise<GrpcListener> {
  const listener = await serve({
    listen: { socketPath, mode },
    credentials: plaintextCredentials(),
    services: [bindService(IstioCertificateService, { createCertificate: async () => ({ certChain: [socketPath] }) })],
  });
  closers.push(() => listener.drain(0));
  return listener;
}

async function callOn(socketPath: string): Promise<readonly string[]> {
  const channel = connect({ address: `unix:${socketPath}` });
  closers.push(() => channel.close());
  const options = { deadlineMs: 20_000, signal: new AbortController().signal };
  return (await channel.unary(IstioCertificateService.method.createCertificate, {}, options)).certChain;
}

/** A socket file of a process that was killed. */
async function leaveStaleSocket(socketPath: string): Promise<void> {
  const script = `require("node:net").createServer().listen(process.argv[1], () => console.log("listening"))`;
  const child = spawn(process.execPath, ["-e", script, socketPath], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(existsSync(socketPath)).toBe(true);
}

test.each([0o600, 0o660, 0o666])(
  "the socket has the mode asked for (%i), and nothing else is left beside it",
  async (mode) => {
    const socketPath = join(directory, "socket");
    const listener = await serveOn(socketPath, mode);
    expect(listener.address).toEqual({ socketPath });
    expect(lstatSync(socketPath).mode & 0o777).toBe(mode);
    expect(readdirSync(directory)).toEqual(["socket"]);
    expect(await callOn(socketPath)).toEqual([socketPath]);
  },
);

test("the socket is removed when the listener drains, and can be served again", async () => {
  const socketPath = join(directory, "socket");
  await (await serveOn(socketPath)).drain(0);
  expect(readdirSync(directory)).toEqual([]);
  await serveOn(socketPath);
  expect(await callOn(socketPath)).toEqual([socketPath]);
});

describe("a file that is there already", () => {
  test("is replaced if its process is dead", async () => {
    const socketPath = join(directory, "socket");
    await leaveStaleSocket(socketPath);
    await serveOn(socketPath);
    expect(await callOn(socketPath)).toEqual([socketPath]);
    expect(readdirSync(directory)).toEqual(["socket"]);
  });

  test("is left alone if something accepts connections on it", async () => {
    const socketPath = join(directory, "socket");
    await serveOn(socketPath);
    await expect(serveOn(socketPath)).rejects.toMatchObject({ code: "socket-in-use" });
    expect(await callOn(socketPath)).toEqual([socketPath]);
    expect(readdirSync(directory)).toEqual(["socket"]);
  });

  test("is left alone if it is no socket", async () => {
    const path = join(directory, "file");
    writeFileSync(path, "precious");
    await expect(serveOn(path)).rejects.toMatchObject({ code: "socket-path-occupied" });
    const link = join(directory, "link");
    symlinkSync(path, link);
    await expect(serveOn(link)).rejects.toMatchObject({ code: "socket-path-occupied" });
    expect(readdirSync(directory)).toEqual(["file", "link"]);
  });

  test("is won by one of many that start at once, and served by it", async () => {
    const socketPath = join(directory, "socket");
    await leaveStaleSocket(socketPath);
    const starts = await Promise.allSettled(Array.from({ length: 20 }, () => serveOn(socketPath)));
    const reasons = starts.flatMap((start) => (start.status === "rejected" ? [start.reason.code] : []));
    expect(reasons).toEqual(Array.from({ length: 19 }, () => "socket-in-use"));
    expect(await callOn(socketPath)).toEqual([socketPath]);
    expect(readdirSync(directory)).toEqual(["socket"]);
  });

  test("that took our place is not removed when we end", async () => {
    const socketPath = join(directory, "socket");
    const listener = await serveOn(socketPath);
    rmSync(socketPath);
    const other: Server = createServer().listen(socketPath);
    await once(other, "listening");
    closers.push(() => other.close());
    await listener.drain(0);
    expect(existsSync(socketPath)).toBe(true);
  });
});

describe("a path", () => {
  function pathOf(bytes: number): string {
    const path = join(directory, "s".repeat(bytes - Buffer.byteLength(directory) - 1));
    expect(Buffer.byteLength(path)).toBe(bytes);
    return path;
  }

  test("of 107 bytes can be served and called", async () => {
    const path = pathOf(maxSocketPathBytes);
    await serveOn(path);
    expect(await callOn(path)).toEqual([path]);
  });

  test("of 108 bytes is refused by name and limit, on either side", async () => {
    const path = pathOf(maxSocketPathBytes + 1);
    const expected = { code: "socket-path-too-long", message: expect.stringMatching(/s{20,}.* 108 .* 107$/) };
    await expect(serveOn(path)).rejects.toMatchObject(expected);
    expect(() => connect({ address: `unix:${path}` })).toThrow(expect.objectContaining(expected));
  });

  test("with a short name in a deep directory can be served too", async () => {
    const deep = pathOf(maxSocketPathBytes - 2);
    mkdirSync(deep);
    const path = join(deep, "a");
    expect(Buffer.byteLength(path)).toBe(maxSocketPathBytes);
    await serveOn(path);
    expect(await callOn(path)).toEqual([path]);
  });

  test("in a directory that does not exist names that directory", async () => {
    const path = join(directory, "missing", "socket");
    const expected = { code: "socket-directory-missing", message: expect.stringContaining(join(directory, "missing")) };
    await expect(serveOn(path)).rejects.toMatchObject(expected);
  });

  test.skipIf(process.getuid?.() === 0)("in a directory we may not write to is refused", async () => {
    chmodSync(directory, 0o500);
    await expect(serveOn(join(directory, "socket"))).rejects.toMatchObject({ code: "listen-failed" });
    chmodSync(directory, 0o700);
  });
});
