import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { errorCode } from "@signet/runtime";

/** A server of somebody else's, running beside us. */
export interface ServerProcess {
  readonly pid: number;
  /** Whether it still runs. */
  running(): boolean;
  /** Resolves, never rejects, when it has ended, with its exit code; 128 and more stand for a signal. */
  readonly ended: Promise<number | null>;
  /** Stops it where it is (SIGSTOP): connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM, and after 5 seconds with SIGKILL. */
  stop(): Promise<void>;
  /** The end of what it has logged, for error messages. */
  logTail(): string;
}

/** What to start. */
export type ServerProcessSpec = {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Standard output and standard error go here. */
  readonly logFile: string;
  /** Removed, by the guard, when this process dies without having ended the server. */
  readonly directory: string;
};

const patienceMs = 5_000;

// The guard holds the other end of a pipe from us. When we are gone, however that came, reading it ends, and so does the
// server. Its first line of output is the server's process id; it ends when the server does, with the same code.
// "true" and not ":", which would end the guard where the directory is gone already (POSIX, special built-ins).
const guard = `
exec 3<&0
directory=$1 log=$2
shift 2
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
echo "$server"
{ while read -r _; do :; done <&3; true >"$directory/abandoned"; kill -KILL "$server"; } >/dev/null 2>&1 &
watch=$!
wait "$server"
code=$?
kill -KILL "$watch" 2>/dev/null
[ -e "$directory/abandoned" ] && rm -rf "$directory"
exit "$code"
`;

/** Starts a server that does not outlive this process, even if that is killed. */
export async function startServerProcess(spec: ServerProcessSpec): Promise<ServerProcess> {
  const { command, env, logFile, directory } = spec;
  closeSync(openSync(logFile, "a", 0o600));
  // A session of its own: Ctrl-C is for us, who then end the server.
  const child = spawn("/bin/sh", ["-c", guard, "guard", directory, logFile, ...command], {
    detached: true,
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", ...env },
    // The shell has something to say of every server that is killed.
    stdio: ["pipe", "pipe", "ignore"],
  });
  let running = true;
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.once("error", () => resolve(null));
  child.once("exit", (code) => resolve(code));
  void ended.then(() => {
    running = false;
  });
  const pid = await firstNumber(child.stdout, ended);

  function signal(name: NodeJS.Signals): void {
    try {
      if (running) process.kill(pid, name);
    } catch (error) {
      // It has ended, and the guard is about to say so.
      if (errorCode(error) !== "ESRCH") throw error;
    }
  }
  async function end(name: NodeJS.Signals): Promise<void> {
    signal(name);
    // One that is paused sees no SIGTERM.
    signal("SIGCONT");
    const timer = setTimeout(() => signal("SIGKILL"), patienceMs);
    await ended;
    clearTimeout(timer);
  }
  return {
    pid,
    ended,
    running: () => running,
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    logTail: () => readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-10).join("\n"),
  };
}

async function firstNumber(output: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  createInterface({ input: output }).once("line", (line) => resolve(Number(line)));
  void ended.then(() => reject(new Error("the guard of a server ended before it said its process id")));
  return await promise;
}
