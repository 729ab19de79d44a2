import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** One program of the mesh, running beside the demo. */
export interface Child {
  /** For people: "agent of frontend". */
  readonly name: string;
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly logFile: string;
  /** The first line on standard output; rejects when the program ends without one. */
  readonly firstLine: Promise<string>;
  /** Resolves, never rejects, when the program has ended, with how: "exit code 1", "SIGKILL". */
  readonly ended: Promise<string>;
  /** Ends it with SIGKILL, without a chance to clean up. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM, and after 3 seconds with SIGKILL. */
  stop(): Promise<void>;
}

/** What to start; standard error goes to the log file, and of standard output only the first line is read. */
export type ChildSpec = {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly logDirectory: string;
  /** Called when it ends and nobody asked it to, with how and with the end of its log. */
  readonly onUnexpectedEnd: (error: Error) => void;
};

const patienceMs = 3_000;

/** Starts a program in the demo's own process group, so that whatever ends the group ends it too. */
export function startChild(spec: ChildSpec): Child {
  const logFile = join(spec.logDirectory, `${spec.name.replaceAll(" ", "-")}.log`);
  const log = openSync(logFile, "a", 0o600);
  const [file, ...args] = spec.command;
  const spawned = spawn(file, args, { env: spec.env, stdio: ["ignore", "pipe", log] });
  closeSync(log);

  let asked = false;
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  spawned.once("error", (error) => resolve(error.message));
  spawned.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  void ended.then((how) => {
    if (!asked) {
      spec.onUnexpectedEnd(endedEarly(spec.name, how, logFile));
    }
  });

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    asked = true;
    spawned.kill(signal);
    const timer = setTimeout(() => spawned.kill("SIGKILL"), patienceMs);
    await ended;
    clearTimeout(timer);
  };
  return {
    name: spec.name,
    pid: spawned.pid,
    logFile,
    firstLine: firstLineOf(
      spawned.stdout,
      ended.then((how) => endedEarly(spec.name, how, logFile)),
    ),
    ended,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

function firstLineOf(output: NodeJS.ReadableStream | null, ended: Promise<Error>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  if (output !== null) {
    createInterface({ input: output }).once("line", resolve);
  }
  void ended.then(reject);
  // Not everyone waits for a line, and then it is no error that none came.
  promise.catch(() => undefined);
  return promise;
}

function endedEarly(name: string, how: string, logFile: string): Error {
  const logTail = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-5).join("\n");
  return new Error(`${name} ended by itself (${how}); its log ends:\n${logTail}`);
}

/** What `ready` resolves to; when it rejects, the child is ended before this does. */
export async function whenReady<T>(child: Child, ready: () => Promise<T>): Promise<T> {
  try {
    return await ready();
  } catch (error) {
    await child.kill();
    throw error;
  }
}

/** The few variables of the demo's own environment that its programs may see, and `more`. */
export function childEnvironment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "SystemRoot"];
  const inherited = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(inherited), ...more };
}
