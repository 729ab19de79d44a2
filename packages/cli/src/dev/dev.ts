import { createLogger, errorMessage, parseSettings, settingsHelp, shutdownSignal } from "@signet/runtime";
import { describeDev, describeDevJson } from "./describe-dev.ts";
import { type DevSettings, devSettings } from "./dev-settings.ts";
import { type DevStack, startDevStack } from "./dev-stack.ts";

const summary = [
  "A CA server and a token issuer for a laptop. The environment of `signet ca` counts here too, such as",
  "DEFAULT_WORKLOAD_CERT_TTL, SIGNET_TRUST_DOMAIN or ROOT_CA_DIR.",
].join("\n");

/**
 * Runs `signet dev` until SIGINT or SIGTERM and returns the exit code: 0 after a clean shutdown, 1 when it could not
 * start or a part of it failed, 2 when a setting is not valid.
 */
export async function runDev(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = parseSettings(devSettings, { env, args });
  switch (parsed.kind) {
    case "help":
      process.stdout.write(settingsHelp(devSettings, { command: "signet dev", summary }));
      return 0;
    case "invalid":
      complain(parsed.problems);
      return 2;
    case "settings":
      return await runUntilSignal(parsed.values, env);
  }
}

async function runUntilSignal(settings: DevSettings, env: NodeJS.ProcessEnv): Promise<number> {
  const shutdown = shutdownSignal();
  const logger = createLogger({ name: "dev", level: settings.json ? "info" : "warn" });
  let stack: DevStack;
  try {
    const started = await startDevStack(settings, { env, logger }, shutdown);
    if (started.kind === "invalid") {
      complain(started.problems);
      return 2;
    }
    stack = started.stack;
  } catch (error) {
    if (shutdown.aborted) return 0;
    complain([`cannot start: ${errorMessage(error)}`]);
    return 1;
  }
  process.stdout.write(settings.json ? describeDevJson(stack) : await describeDev(stack, env));
  const failure = await stack.ended.then(() => undefined).catch((error: unknown) => errorMessage(error));
  await stack.stop();
  if (failure === undefined || shutdown.aborted) return 0;
  complain([failure]);
  return 1;
}

function complain(problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`signet dev: ${problem}\n`);
}
