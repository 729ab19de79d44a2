export { type RunningAgent, startAgent } from "./agent.ts";
export type { AgentDependencies } from "./compose-agent.ts";
export { AgentError, type AgentErrorCode } from "./errors.ts";
export type { WorkloadIdentity } from "./identity/workload-identity.ts";
export { runAgent } from "./main.ts";
export { type AgentSettingsResult, parseAgentSettings } from "./parse-settings.ts";
export { type AgentSettings, type AgentSettingValues, agentSettings } from "./settings.ts";
export type { AgentStatus } from "./status/debug-status.ts";
