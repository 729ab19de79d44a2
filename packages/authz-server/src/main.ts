import { createLogger, errorMessage, type Logger, settingsHelp, shutdownSignal, systemClock } from "@signet/runtime";
import { authzEvents, logEvent } from "./events.ts";
import { parseAuthzSettings } from "./parse-settings.ts";
import { type RunningAuthzServer, startAuthzServer } from "./server.ts";
import { authzSettings } from "./settings.ts";

const about = {
  command: "signet authz",
  summary: "Answers Envoy's ext_authz by Istio's policies: gRPC on TCP and a Unix socket, and HTTP.",
};

/**
 * Runs the authorization server until SIGINT or SIGTERM and returns its exit code: 0 after a clean shutdown, 1 when it cannot
 * start or fails, 2 with every problem on standard error when the settings are invalid.
 * @example
 * ```ts
 * import { runAuthzServer } from "@signet/authz-server";
 * process.exitCode = await runAuthzServer(process.argv.slice(2), process.env);
 * ```
 */
export async function runAuthzServer(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const result = parseAuthzSettings(args, env);
  if (result.kind === "help") {
    process.stdout.write(settingsHelp(authzSettings, about));
    return 0;
  }
  if (result.kind === "invalid") {
    process.stderr.write(result.problems.map((problem) => `signet authz: ${problem}\n`).join(""));
    return 2;
  }
  const logger = createLogger({ name: "authz", level: result.settings.logLevel });
  const signal = shutdownSignal();
  let server: RunningAuthzServer;
  try {
    server = await startAuthzServer(result.settings, { clock: systemClock, random: Math.random, logger });
  } catch (error) {
    logEvent(logger, authzEvents.serverFailed, { error: errorMessage(error) });
    return 1;
  }
  const failed = await failureOf(server, signal, logger);
  await server.stop();
  return failed ? 1 : 0;
}

/** Waits for the signal, then false, or for the server to fail by itself. */
async function failureOf(server: RunningAuthzServer, signal: AbortSignal, logger: Logger): Promise<boolean> {
  const asked = new Promise<false>((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
  const failed = server.ended.then(
    () => false,
    (error: unknown) => {
      logEvent(logger, authzEvents.serverFailed, { error });
      return true;
    },
  );
  return await Promise.race([asked, failed]);
}
