import type { AgentStatus } from "@signet/agent";
import { errorMessage, type Setting, type SettingsOf, setting } from "@signet/runtime";
import type { CommandOutput } from "../input/command-io.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { agentUrl, statusAddress } from "./agent-address.ts";
import { describeAgentStatus } from "./describe-agent-status.ts";

const statusSettings: { readonly address: typeof statusAddress; readonly json: Setting<boolean> } = {
  address: statusAddress,
  json: setting.bool({ flag: "json", default: false, description: "print one JSON object" }),
};

const about = {
  command: "signet agent status",
  summary: "Prints what the agent of this machine serves to whom, until when, from which CA, and its last error.",
};

const deadlineMs = 5_000;
const maxCharacters = 8_388_608;

/**
 * Runs `signet agent status` and returns its exit code: 0 when a valid certificate is served, 1 when none is or the agent cannot
 * be asked, 2 for a bad command line.
 */
export async function runAgentStatus(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  io: CommandOutput,
): Promise<number> {
  return await runCommand(about, statusSettings, { args, env, io }, (values) => showStatus(values, io));
}

async function showStatus(values: SettingsOf<typeof statusSettings>, io: CommandOutput): Promise<0 | 1> {
  const url = agentUrl(values.address, "/debug/status");
  try {
    const status = await ask(url);
    io.stdout.write(values.json ? `${JSON.stringify(status)}\n` : describeAgentStatus(status));
    return status.identity !== null && status.identity.secondsLeft > 0 ? 0 : 1;
  } catch (error) {
    remark(io, about.command, `no agent can be asked at ${url}: ${errorMessage(error)}`);
    return 1;
  }
}

async function ask(url: string): Promise<AgentStatus> {
  const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs), redirect: "error" });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`it answers ${response.status}`);
  if (text.length > maxCharacters) throw new Error("its answer is too long");
  return parseAgentStatus(JSON.parse(text));
}

/** Whatever listens there may be something else than an agent. */
function parseAgentStatus(value: unknown): AgentStatus {
  const isStatus = typeof value === "object" && value !== null && "identity" in value && "streams" in value;
  if (!isStatus || !Array.isArray(value.streams)) throw new Error("what it answers is not an agent's status");
  return value as AgentStatus;
}
