import { createLogger, type Logger, settingsHelp, shutdownSignal, systemClock } from "@signet/runtime";
import { type RunningAgent, startAgent } from "./agent.ts";
import { agentEvents, logEvent } from "./events.ts";
import { parseAgentSettings } from "./parse-settings.ts";
import { type AgentSettings, agentSettings } from "./settings.ts";

const about = {
  command: "signet agent",
  summary: "Keeps one workload's certificate fresh and serves it to Envoy over SDS.",
};

/**
 * Runs the agent until SIGINT or SIGTERM and returns its exit code: 0 after a clean shutdown, 1 when it cannot start or
 * fails, 2 with every problem on standard error when the settings are invalid.
 * @example
 * ```ts
 * import { runAgent } from "@signet/agent";
 * process.exitCode = await runAgent(process.argv.slice(2), process.env);
 * ```
 */
export async function runAgent(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const result = parseAgentSettings(args, env);
  if (result.kind === "help") {
    process.stdout.write(settingsHelp(agentSettings, about));
    return 0;
  }
  if (result.kind === "invalid") {
    process.stderr.write(result.problems.map((problem) => `signet agent: ${problem}\n`).join(""));
    return 2;
  }
  const logger = createLogger({ name: "agent", level: result.settings.logLevel });
  const signal = shutdownSignal();
  const agent = await start(result.settings, logger);
  if (agent === undefined) return 1;
  const failed = await failureOf(agent, AbortSignal.any([signal, agent.quitting]));
  if (failed !== undefined) logEvent(logger, agentEvents.agentFailed, { error: failed.error });
  await agent.stop();
  const exitCode = failed === undefined ? 0 : 1;
  exitUnlessOver(exitCode);
  return exitCode;
}

/** How long the process may live on by itself after the agent has stopped. */
const afterlifeMs = 500;

/** Nobody can take back an attempt to connect to a CA that does not answer, and it would keep the process for minutes. */
function exitUnlessOver(exitCode: number): void {
  setTimeout(() => process.exit(exitCode), afterlifeMs).unref();
}

async function start(settings: AgentSettings, logger: Logger): Promise<RunningAgent | undefined> {
  try {
    return await startAgent(settings, { clock: systemClock, random: Math.random, logger });
  } catch (error) {
    logEvent(logger, agentEvents.agentFailed, { error });
    return undefined;
  }
}

/** Waits for the signal, then undefined, or for the agent to fail by itself. */
async function failureOf(agent: RunningAgent, signal: AbortSignal): Promise<{ readonly error: unknown } | undefined> {
  const asked = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const failed = agent.ended.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  return await Promise.race([asked, failed]);
}
