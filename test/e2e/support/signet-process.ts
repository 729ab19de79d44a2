import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A program under test and all it has written so far. */
export type ProgramProcess = {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** The exit code, or the signal's name. */
  readonly exit: Promise<number | NodeJS.Signals | null>;
  /** Resolves once standard output has matched; rejects when the program ends without it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
};

/** Starts `signet` as a person would who has node_modules/.bin on PATH, and only `env` besides. */
export function spawnSignet(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): ProgramProcess {
  const path = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return spawnProgram(["signet", ...args], { ...kept(), PATH: path, ...env }, cwd);
}

/** Runs a command line as it is pasted into a shell. */
export function spawnShell(commandLine: string, cwd: string): ProgramProcess {
  // `exec` lets a signal reach the program; a shell would keep it to itself.
  return spawnProgram(["sh", "-c", `exec ${commandLine}`], { ...kept(), PATH: process.env.PATH }, cwd);
}

function kept(): NodeJS.ProcessEnv {
  const names = ["HOME", "TMPDIR", "XDG_CACHE_HOME", "SIGNET_CACHE"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function spawnProgram([file = "", ...args]: readonly string[], env: NodeJS.ProcessEnv, cwd: string): ProgramProcess {
  const child = spawn(file, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  const looks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output.stdout += chunk;
    for (const look of looks) look();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output.stderr += chunk;
  });
  const exit = once(child, "close").then(([code, signal]) => code ?? signal);
  function printed(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    function look(): void {
      const match = pattern.exec(output.stdout);
      if (match !== null) resolve(match);
    }
    looks.add(look);
    look();
    exit.then(
      (code) => reject(new Error(`ended (${code}) without ${pattern}: ${output.stdout}${output.stderr}`)),
      reject,
    );
    return promise.finally(() => looks.delete(look));
  }
  return { child, output, exit, printed };
}
