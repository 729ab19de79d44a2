import { formatHostPort } from "@signet/runtime";
import { agentCommand, envoyCommand } from "./dev-commands.ts";
import type { DevStack } from "./dev-stack.ts";

/** The one line that `signet dev --json` prints. */
export function describeDevJson({ addresses, files, issuer }: DevStack): string {
  const line = {
    caAddress: formatHostPort(addresses.ca),
    readyAddress: formatHostPort(addresses.ready),
    monitoringAddress: formatHostPort(addresses.monitoring),
    rootCertificate: files.rootCertificate,
    issuer,
    stateDirectory: files.stateDirectory,
  };
  return `${JSON.stringify(line)}\n`;
}

/** What `signet dev` tells a person: where things are, and the two commands that make a sidecar of it. */
export async function describeDev(stack: DevStack, env: NodeJS.ProcessEnv): Promise<string> {
  const { addresses, files, issuer, trustDomain, envoyPort } = stack;
  const rows = [
    ["CA", formatHostPort(addresses.ca)],
    ["ready", `http://${formatHostPort(addresses.ready)}/ready`],
    ["metrics", `http://${formatHostPort(addresses.monitoring)}/metrics`],
    ["token issuer", issuer],
    ["trust domain", trustDomain],
    ["root", files.rootCertificate],
    ["state", files.stateDirectory],
  ];
  return [
    "Signet is ready.",
    "",
    ...rows.map(([name, value]) => `  ${String(name).padEnd(12)}  ${value}`),
    "",
    "In a second terminal, an agent for the workload demo/frontend:",
    "",
    `  ${agentCommand(stack)}`,
    "",
    "In a third, an Envoy that gets its certificate from that agent:",
    "",
    `  ${await envoyCommand(stack, env)}`,
    "",
    `Then see mutual TLS: curl http://127.0.0.1:${envoyPort}/`,
    "Ctrl-C ends it.",
    "",
  ].join("\n");
}
