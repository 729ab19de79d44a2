import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** One line of the log of a process: its message and its fields. */
export type LogLine = { readonly msg: string; readonly [field: string]: unknown };

/** A CA server in a process of its own. */
export type CaProcess = {
  readonly child: ChildProcess;
  /** Everything it wrote to standard error and standard output so far. */
  readonly output: { stderr: string; stdout: string };
  /** The first log line with this message; rejects when the process ends without it. */
  logged(message: string): Promise<LogLine>;
  /** Resolves to the exit code, or the signal's name. */
  readonly exit: Promise<number | NodeJS.Signals | null>;
};

const entry = join(import.meta.dirname, "ca-process.ts");

/** Starts a CA server process with these settings and nothing else of this process's environment but PATH. */
export function spawnCa(env: Readonly<Record<string, string>>, args: readonly string[] = []): CaProcess {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stderr: "", stdout: "" };
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const exit = once(child, "close").then(([code, signal]) => code ?? signal);
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString("utf8");
  });
  createInterface({ input: child.stderr }).on("line", (text) => {
    output.stderr += `${text}\n`;
    if (text.startsWith("{")) lines.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  return {
    child,
    output,
    exit,
    logged(message) {
      return new Promise((resolve, reject) => {
        function look(): void {
          const line = lines.find(({ msg }) => msg === message);
          if (line === undefined) return;
          waiting.delete(look);
          resolve(line);
        }
        waiting.add(look);
        look();
        exit.then((code) => reject(new Error(`the CA server ended (${code}): ${output.stderr}`)));
      });
    },
  };
}
