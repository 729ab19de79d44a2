import { randomBytes } from "node:crypto";
import { createLogger, errorMessage, settingsHelp, shutdownSignal, systemClock } from "@signet/runtime";
import packageJson from "../package.json" with { type: "json" };
import { type CaServer, startCaServer } from "./server.ts";
import { caServerSettings } from "./setting-spec.ts";
import { type CaServerSettings, parseCaServerSettings } from "./settings.ts";

const summary = "The istiod-compatible CA server: gives workloads their certificates.";

/**
 * Runs a CA server until SIGINT or SIGTERM and returns the exit code of the process: 0 after a clean shutdown, 1 when it
 * could not start or a background task failed, 2 when the settings are not valid.
 *
 * Standard output gets nothing but the text of `--help`. Standard error gets the log, and plain sentences where the
 * process ends before it has one.
 * @example
 * ```ts
 * import { runCaServer } from "@signet/ca-server";
 * export const exitCode: Promise<number> = runCaServer(process.argv.slice(2), process.env);
 * ```
 */
export async function runCaServer(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const parsed = parseCaServerSettings({ env, args });
  switch (parsed.kind) {
    case "help":
      process.stdout.write(settingsHelp(caServerSettings, { command: "signet ca", summary }));
      return 0;
    case "invalid":
      for (const problem of parsed.problems) complain(problem);
      return 2;
    case "settings":
      return await runUntilSignal(parsed.settings);
  }
}

async function runUntilSignal(settings: CaServerSettings): Promise<number> {
  const shutdown = shutdownSignal();
  const logger = createLogger({ name: "ca-server", level: settings.logLevel });
  const version = packageJson.version;
  let server: CaServer;
  try {
    server = await startCaServer(settings, { clock: systemClock, random: Math.random, randomBytes, logger, version });
  } catch (error) {
    complain(`cannot start: ${describe(error)}`);
    return 1;
  }
  const failed = await Promise.race([untilAborted(shutdown), server.ended.then(() => false).catch(() => true)]);
  await server.stop();
  return failed ? 1 : 0;
}

function untilAborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
}

/** One line: the error and what caused it. */
function describe(error: unknown): string {
  const messages: string[] = [];
  for (
    let link = error;
    link !== undefined && messages.length < 4;
    link = link instanceof Error ? link.cause : undefined
  ) {
    const message = errorMessage(link);
    // Many an error names its cause already.
    if (messages.at(-1)?.endsWith(message) !== true) messages.push(message);
  }
  return messages.join(": ").replaceAll(/\s+/g, " ");
}

function complain(problem: string): void {
  process.stderr.write(`signet ca: ${problem}\n`);
}
