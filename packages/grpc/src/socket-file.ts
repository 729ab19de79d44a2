import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { connect, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { GrpcError } from "./errors.ts";

/** Longest path of a Unix socket, in bytes: `sun_path` holds 108 with its closing zero. */
export const maxSocketPathBytes = 107;

/**
 * Binds `server` to a Unix socket file and returns what removes that file again.
 *
 * The socket is bound under a random name beside the wanted one, gets its mode, and is then linked to its name, so nobody
 * who knows only the name can connect before the mode is right. (Under the random name the process's umask rules for a
 * moment; with the usual 022 nobody else may connect.) A file that a dead process left is replaced; a socket that something
 * accepts connections on is never taken over, also not in a race of two starting processes.
 * @throws GrpcError `socket-path-too-long`, `socket-directory-missing`, `socket-in-use`, `socket-path-occupied`, `listen-failed`
 */
export async function listenOnSocketFile(
  server: Server,
  address: { readonly socketPath: string; readonly mode: number },
): Promise<() => void> {
  const { socketPath, mode } = address;
  checkSocketPath(socketPath);
  checkDirectory(dirname(socketPath));
  const stale = await staleSocket(socketPath);
  const temporary = await bindBeside(server, socketPath);
  try {
    chmodSync(temporary, mode);
    if (stale !== undefined) setAside(socketPath, stale);
    linkSync(temporary, socketPath);
  } catch (error) {
    server.close();
    throw fileError(error, socketPath);
  } finally {
    rmSync(temporary, { force: true });
  }
  const own = lstatSync(socketPath);
  return () => removeOwn(socketPath, own);
}

/** Throws GrpcError `socket-path-too-long` for a path the kernel would refuse with a bare EINVAL. */
export function checkSocketPath(socketPath: string): void {
  const length = Buffer.byteLength(socketPath);
  if (length <= maxSocketPathBytes) return;
  throw new GrpcError(
    "socket-path-too-long",
    `socket path ${JSON.stringify(socketPath)} has ${length} bytes, the limit is ${maxSocketPathBytes}`,
  );
}

/** libuv would report a missing directory as a missing permission. */
function checkDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new GrpcError("socket-directory-missing", `directory ${JSON.stringify(directory)} does not exist`);
}

/** The file a dead process left at `path`, or undefined if the name is free. */
async function staleSocket(path: string): Promise<Stats | undefined> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return undefined;
  if (!file.isSocket()) throw new GrpcError("socket-path-occupied", `${JSON.stringify(path)} is not a socket`);
  const errno = await connectErrno(path);
  if (errno === undefined) throw inUse(path);
  if (errno === "ENOENT") return undefined;
  if (errno === "ECONNREFUSED") return file;
  // EACCES, EAGAIN and the like mean that we cannot tell, and a live socket is worth more than our start.
  throw new GrpcError("socket-in-use", `cannot tell whether ${JSON.stringify(path)} is in use: ${errno}`);
}

function connectErrno(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown error"));
  });
}

/** Takes the stale file away, unless another process put a fresh one in its place since we looked. */
function setAside(path: string, stale: Stats): void {
  const aside = randomSibling(path);
  renameSync(path, aside);
  const moved = lstatSync(aside);
  if (moved.ino !== stale.ino || moved.dev !== stale.dev) {
    linkSync(aside, path);
    unlinkSync(aside);
    throw inUse(path);
  }
  unlinkSync(aside);
}

function bindBeside(server: Server, path: string): Promise<string> {
  const temporary = randomSibling(path);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(fileError(error, path)));
    server.listen(temporary, () => resolve(temporary));
  });
}

/** A free name in the same directory, never longer than the wanted one, so that the limit on paths is not lowered. */
function randomSibling(path: string): string {
  const length = Math.min(basename(path).length, 12);
  for (;;) {
    const sibling = join(dirname(path), randomBytes(12).toString("hex").slice(0, length));
    if (sibling !== path && !existsSync(sibling)) return sibling;
  }
}

function fileError(error: unknown, path: string): GrpcError {
  if (error instanceof GrpcError) return error;
  const errno = (error as NodeJS.ErrnoException).code ?? "unknown error";
  if (errno === "EEXIST") return inUse(path);
  return new GrpcError("listen-failed", `cannot listen on ${JSON.stringify(path)}: ${errno}`, { cause: error });
}

function inUse(path: string): GrpcError {
  return new GrpcError("socket-in-use", `another process accepts connections on ${JSON.stringify(path)}`);
}

function removeOwn(path: string, own: Stats): void {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file?.ino === own.ino && file.dev === own.dev) rmSync(path, { force: true });
}
