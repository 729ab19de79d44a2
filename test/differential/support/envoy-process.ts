import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** An Envoy that runs with a configuration of a test. */
export type EnvoyProcess = {
  readonly pid: number;
  /** What its admin interface answers. */
  ask(path: string): Promise<string>;
  stop(): Promise<void>;
};

/** What an Envoy is started with; the directory takes its configuration, log and admin socket. */
export type EnvoyProcessOptions = { readonly binary: string; readonly directory: string; readonly bootstrap: object };

const startLimitMs = 60_000;

/** Starts an Envoy and resolves once it listens; rejects with the end of its log when it refuses the configuration. */
export async function startEnvoyProcess({ binary, directory, bootstrap }: EnvoyProcessOptions): Promise<EnvoyProcess> {
  const config = join(directory, "envoy.json");
  const logFile = join(directory, "envoy.log");
  const admin = join(directory, "admin.sock");
  await writeFile(config, JSON.stringify({ ...bootstrap, admin: { address: { pipe: { path: admin } } } }));
  const log = openSync(logFile, "a", 0o600);
  const args = ["-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];
  // What is logged is to be read while it runs.
  args.push("--file-flush-interval-msec", "50");
  const child = spawn(binary, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once("error", (error) => resolve(error.message));
  child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  let how: string | undefined;
  void ended.then((end) => {
    how = end;
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  for (let waitedMs = 0; ; waitedMs += 50) {
    if (how !== undefined) throw new Error(`Envoy ended (${how}):\n${readFileSync(logFile, "utf8").slice(-4_000)}`);
    if ((await askAdmin(admin, "/ready").catch(() => "")).startsWith("LIVE")) break;
    if (waitedMs > startLimitMs) {
      await stop();
      throw new Error(`Envoy is not ready after ${startLimitMs} ms`);
    }
    await sleep(50);
  }
  return { pid: child.pid ?? 0, ask: (path) => askAdmin(admin, path), stop };
}

async function askAdmin(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request({ socketPath, path, agent: false }, (response) => void text(response).then(resolve, reject))
    .once("error", reject)
    .end();
  return await promise;
}
