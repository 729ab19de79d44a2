import { resolve } from "node:path";
import { maxSocketPathBytes } from "@signet/grpc";
import { formatHostPort, parseSettings } from "@signet/runtime";
import { readCaHeaders } from "./ca-client/ca-headers.ts";
import { type AgentSettings, type AgentSettingValues, agentSettings, reloadHookOf, sdsSocketPath } from "./settings.ts";

export type AgentSettingsResult =
  | { readonly kind: "settings"; readonly settings: AgentSettings }
  | { readonly kind: "help" }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * The settings in environment and flags, the wish for help, or every problem at once.
 * @example
 * ```ts
 * import { parseAgentSettings } from "@signet/agent";
 * parseAgentSettings(["--secret-ttl", "1h"], { CA_ADDR: "localhost:15012" });
 * ```
 */
export function parseAgentSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AgentSettingsResult {
  const result = parseSettings(agentSettings, { args, env });
  if (result.kind === "help") return result;
  const { headers, problems: headerProblems } = readCaHeaders(env);
  const problems = [
    ...(result.kind === "invalid" ? result.problems : contradictionsIn(result.values)),
    ...headerProblems,
    ...unsupportedIn(env),
  ];
  if (result.kind === "invalid" || problems.length > 0) return { kind: "invalid", problems };
  return { kind: "settings", settings: { ...result.values, caHeaders: headers } };
}

function contradictionsIn(settings: AgentSettingValues): readonly string[] {
  const problems: string[] = [];
  if (settings.certProvider === "none" && settings.caRootCa === "") {
    problems.push("PILOT_CERT_PROVIDER: with none, CA_ROOT_CA must say where the root of the CA is");
  }
  const sockets = {
    SIGNET_SDS_SOCKET: sdsSocketPath(settings),
    SIGNET_WORKLOAD_API_SOCKET: settings.workloadApiSocket,
  };
  for (const [name, path] of Object.entries(sockets)) {
    const bytes = Buffer.byteLength(path);
    if (bytes <= maxSocketPathBytes) continue;
    const limit = `a Unix socket path has at most ${maxSocketPathBytes} bytes`;
    problems.push(`${name}: ${limit}, ${JSON.stringify(path)} has ${bytes}`);
  }
  if (resolve(sockets.SIGNET_SDS_SOCKET) === resolve(settings.workloadApiSocket)) {
    problems.push("SIGNET_WORKLOAD_API_SOCKET: is the socket of SDS, and each needs its own");
  }
  if (settings.reloadCommand !== "" && settings.reloadPidFile !== "") {
    problems.push("SIGNET_RELOAD_COMMAND: with SIGNET_RELOAD_PID_FILE there are two ways to tell one program");
  }
  const tells = settings.reloadCommand !== "" ? "SIGNET_RELOAD_COMMAND" : "SIGNET_RELOAD_PID_FILE";
  if (settings.outputCerts === "" && reloadHookOf(settings) !== undefined) {
    problems.push(`${tells}: there are no files whose change it could tell of without OUTPUT_CERTS`);
  }
  if (settings.caAddress.port === 0) {
    problems.push(`CA_ADDR: ${JSON.stringify(formatHostPort(settings.caAddress))} has the port 0, which nobody serves`);
  }
  return problems;
}

/** Istio's variables that ask for what this agent cannot do, by the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly string[]>> = {
  CA_PROVIDER: ["", "Citadel"],
  CREDENTIAL_FETCHER_TYPE: ["", "JWT"],
  PROV_CERT: [""],
};

/** To go on without would be to use another credential or CA than asked for, or to write no file that somebody waits for. */
function unsupportedIn(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(unsupported).flatMap(([name, harmless]) =>
    harmless.includes(env[name] ?? "") ? [] : [`${name}: ${JSON.stringify(env[name])} is not supported by this agent`],
  );
}
