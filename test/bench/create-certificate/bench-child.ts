import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What a child is asked; it answers each with one number of microseconds, or with its address. */
export type BenchQuestion =
  | { readonly kind: "cpu" }
  | { readonly kind: "core"; readonly calls: number }
  | { readonly kind: "vault" };

/** What a child says of itself once it is ready, and of each question. */
export type BenchReady = {
  readonly port: number;
  /** PEM; what a client trusts. */
  readonly rootPem: string;
  /** What calls carry, where the server asks for it. */
  readonly bearerToken?: string;
  readonly forwardedClientCert?: string;
  readonly clientCertificate?: { readonly chainPem: string; readonly privateKeyPem: string };
};

/** A server or a piece of work in a process of its own, so that its CPU time is its own. */
export interface BenchChild {
  readonly ready: BenchReady;
  /** User and system time of the whole process so far, in microseconds. */
  cpuMicros(): Promise<number>;
  /** CPU time of one certificate issued without any server, in microseconds; the mean of so many. */
  coreMicros(calls: number): Promise<number>;
  /** What Vault has taken for one signature so far, on the wall clock, in microseconds; the mean. */
  vaultMicros(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts `server-process.ts` in this role, with more on its command line. */
export async function startBenchChild(role: string, ...more: readonly string[]): Promise<BenchChild> {
  const child = fork(new URL("./server-process.ts", import.meta.url), [role, ...more], {
    env: { PATH: process.env.PATH },
    // Log lines are written as they would be, and nobody reads them.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const ready = (await nextMessage(child, role)) as BenchReady;
  async function ask(question: BenchQuestion): Promise<number> {
    child.send(question);
    return Number(await nextMessage(child, role));
  }
  return {
    ready,
    cpuMicros: () => ask({ kind: "cpu" }),
    coreMicros: (calls) => ask({ kind: "core", calls }),
    vaultMicros: () => ask({ kind: "vault" }),
    async stop() {
      child.kill("SIGTERM");
      await once(child, "close");
    },
  };
}

async function nextMessage(child: ChildProcess, role: string): Promise<unknown> {
  const ended = new AbortController();
  const gone = once(child, "close", { signal: ended.signal }).then(() => {
    throw new Error(`the ${role} process ended`);
  });
  gone.catch(() => undefined);
  try {
    const [message] = await Promise.race([once(child, "message", { signal: ended.signal }), gone]);
    return message;
  } finally {
    ended.abort();
  }
}
