import { fileURLToPath } from "node:url";
import { formatHostPort } from "@signet/runtime";
import { findEnvoy } from "../demo/ensure-envoy.ts";
import type { DevStack } from "./dev-stack.ts";
import { devWorkloads, tokenFile } from "./dev-workloads.ts";

const launcher = fileURLToPath(new URL("../../bin/signet.js", import.meta.url));
const ensureEnvoyTool = fileURLToPath(new URL("../../../../tools/ensure-envoy.ts", import.meta.url));
const [workload] = devWorkloads;

/**
 * The command that starts an agent for the first workload.
 *
 * Node and launcher by their full paths: the command is pasted into another terminal, in whatever folder and with
 * whatever PATH that has.
 */
export function agentCommand({ addresses, files, trustDomain }: DevStack): string {
  return shellWords([
    ...[process.execPath, launcher, "agent"],
    ...["--ca-addr", formatHostPort(addresses.ca)],
    ...["--ca-root-ca", files.rootCertificate],
    ...["--token-file", tokenFile(files.stateDirectory, workload)],
    ...["--trust-domain", trustDomain],
    ...["--pod-namespace", workload.namespace],
    ...["--service-account", workload.serviceAccount],
    ...["--sds-socket", files.sdsSocket],
    ...["--status-listen", "127.0.0.1:0"],
  ]);
}

/** The command that starts an Envoy against that agent; it fetches the Envoy first where this machine has none. */
export async function envoyCommand({ files }: DevStack, env: NodeJS.ProcessEnv): Promise<string> {
  const envoy = await findEnvoy({ env }, AbortSignal.timeout(20_000));
  const program =
    envoy.kind === "found" ? shellWords([envoy.path]) : `"$(${shellWords([process.execPath, ensureEnvoyTool])})"`;
  return `${program} ${shellWords(["--disable-hot-restart", "--log-level", "warning", "-c", files.envoyBootstrap])}`;
}

function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(" ");
}
