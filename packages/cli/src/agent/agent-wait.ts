import { errorMessage, formatDuration, type Setting, type SettingsOf, setting } from "@signet/runtime";
import type { CommandOutput } from "../input/command-io.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { agentUrl, statusAddress } from "./agent-address.ts";

const waitSettings: {
  readonly address: typeof statusAddress;
  readonly timeoutMs: Setting<number>;
  readonly periodMs: Setting<number>;
} = {
  address: statusAddress,
  timeoutMs: setting.duration({
    flag: "timeout",
    default: 60_000,
    minMs: 0,
    maxMs: 24 * 3_600_000,
    description: "how long to wait",
  }),
  periodMs: setting.duration({
    flag: "period",
    default: 500,
    minMs: 10,
    maxMs: 60_000,
    description: "time between two looks, and how long one of them may take",
  }),
};

const about = {
  command: "signet agent wait",
  summary: "Waits until the agent of this machine is ready, so that what needs its certificate can start after it.",
};

/**
 * Runs `signet agent wait` and returns its exit code: 0 once the agent serves a valid certificate, 1 when it has not in time, 2
 * for a bad command line.
 */
export async function runAgentWait(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  io: CommandOutput,
): Promise<number> {
  return await runCommand(about, waitSettings, { args, env, io }, (values) => waitUntilReady(values, io));
}

async function waitUntilReady(values: SettingsOf<typeof waitSettings>, io: CommandOutput): Promise<0 | 1> {
  const { address, timeoutMs, periodMs } = values;
  const url = agentUrl(address, "/healthz/ready");
  const endsAt = performance.now() + timeoutMs;
  let why = "it was not asked";
  do {
    const look = await lookAt(url, periodMs);
    if (look === undefined) return 0;
    why = look;
    await new Promise((resolve) => setTimeout(resolve, Math.min(periodMs, Math.max(0, endsAt - performance.now()))));
  } while (performance.now() < endsAt);
  remark(io, about.command, `the agent at ${url} is not ready after ${formatDuration(timeoutMs)}: ${why}`);
  return 1;
}

/** Why the agent is not ready, or undefined when it is. */
async function lookAt(url: string, deadlineMs: number): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs), redirect: "error" });
    const text = await response.text();
    return response.status === 200 ? undefined : text.trim().slice(0, 500) || `it answers ${response.status}`;
  } catch (error) {
    return error instanceof TypeError && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error);
  }
}
