import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** An authorization server in a process of its own, on a Unix socket. */
export type AskedServer = {
  readonly path: string;
  /** User and system, of all threads, since it started. */
  cpuMicros(): Promise<number>;
  stop(): Promise<void>;
};

/** Starts ours by some documents, or with the role "empty" a handler of grpc-js that does nothing. */
export async function startAskedServer(role: string, directory: string, documents: string): Promise<AskedServer> {
  const child = fork(new URL("./check-child.ts", import.meta.url), [role, directory, documents], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const path = String(await nextMessage(child));
  return {
    path,
    async cpuMicros() {
      child.send("cpu");
      return Number(await nextMessage(child));
    },
    async stop() {
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const waited = new AbortController();
  const gone = once(child, "close", { signal: waited.signal }).then(() => {
    throw new Error("a process of the benchmark ended");
  });
  gone.catch(() => undefined);
  try {
    const [message] = await Promise.race([once(child, "message", { signal: waited.signal }), gone]);
    return message;
  } finally {
    waited.abort();
  }
}
