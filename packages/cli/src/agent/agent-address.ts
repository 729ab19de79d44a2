import { formatHostPort, type HostPort, type Setting, setting } from "@signet/runtime";

/** Where the agent's status port is, as the agent itself is told. */
export const statusAddress: Setting<HostPort> = setting.hostPort({
  env: "SIGNET_STATUS_LISTEN",
  flag: "status-addr",
  default: { host: "127.0.0.1", port: 15020 },
  description: "address of the agent's status port",
});

const everywhere: readonly string[] = ["::", "0.0.0.0"];

/** The URL of a path there; an agent that listens everywhere listens on this machine. */
export function agentUrl({ host, port }: HostPort, path: string): string {
  return `http://${formatHostPort({ host: everywhere.includes(host) ? "127.0.0.1" : host, port })}${path}`;
}
