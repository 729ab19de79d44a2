import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage } from "@signet/runtime";
import { AgentError } from "../errors.ts";

/** A directory that others than its owner can write to, so that they could put a socket of their own there. */
export type SharedDirectory = { readonly directory: string; readonly mode: string };

/**
 * Makes sure that the directory of the SDS socket exists, and returns it when others can write to it.
 *
 * It is created for those who may use the socket and nobody else. One that exists and is ours loses the write rights of
 * others; one of another owner is left alone, for in a Kubernetes pod it is an emptyDir of mode 0777 that only the
 * containers which mount it can see. So is one with the sticky bit, which is shared on purpose: to root, /tmp is its own.
 * @throws AgentError `socket-directory-unusable`
 */
export async function prepareSocketDirectory(
  socketPath: string,
  socketMode: number,
): Promise<SharedDirectory | undefined> {
  const directory = dirname(socketPath);
  try {
    const created = await mkdir(directory, { recursive: true, mode: directoryMode(socketMode) });
    if (created !== undefined) return undefined;
    const { mode, uid } = await stat(directory);
    if ((mode & 0o022) === 0) return undefined;
    if (uid !== process.geteuid?.() || (mode & stickyBit) !== 0)
      return { directory, mode: (mode & 0o7777).toString(8).padStart(4, "0") };
    await chmod(directory, mode & 0o7755);
    return undefined;
  } catch (error) {
    throw new AgentError("socket-directory-unusable", `directory of the SDS socket: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

const stickyBit = 0o1000;

/** Whoever may write to the socket must be able to get to it. */
function directoryMode(socketMode: number): number {
  const group = (socketMode & 0o020) === 0 ? 0 : 0o050;
  const others = (socketMode & 0o002) === 0 ? 0 : 0o005;
  return 0o700 | group | others;
}
