import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServedFakeCa, serveFakeCa } from "@signet/agent/testing";
import { type ProgramProcess, spawnSignet } from "./signet-process.ts";

/** An agent process with a CA of its own, in a directory of its own. */
export type AgentUnderTest = {
  /** Where the agent runs; a test may keep its own files there too. */
  readonly directory: string;
  readonly sdsSocket: string;
  readonly workloadApiSocket: string;
  readonly ca: ServedFakeCa;
  readonly agent: ProgramProcess;
  close(): Promise<void>;
};

/** How often an identity has to change under load before a test believes that it may. */
export const rotationsUnderLoad = 3;

/** Starts an agent whose certificates live for four seconds and are renewed after 1.6; `env` is for more settings. */
export async function startAgentUnderTest(env: Readonly<Record<string, string>> = {}): Promise<AgentUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "signet-agent-"));
  const ca = await serveFakeCa({ port: 0 });
  writeFileSync(join(directory, "root.pem"), ca.rootPem);
  writeFileSync(join(directory, "token"), "top.secret.token", { mode: 0o600 });
  const sdsSocket = join(directory, "sds.sock");
  const workloadApiSocket = join(directory, "workload.sock");
  const settings = {
    CA_ADDR: `localhost:${ca.port}`,
    CA_ROOT_CA: "root.pem",
    SIGNET_TOKEN_FILE: "token",
    SIGNET_STATUS_LISTEN: "127.0.0.1:0",
    SIGNET_SDS_SOCKET: sdsSocket,
    SIGNET_WORKLOAD_API_SOCKET: workloadApiSocket,
    SECRET_TTL: "4s",
    SECRET_GRACE_PERIOD_RATIO: "0.6",
    SECRET_GRACE_PERIOD_RATIO_JITTER: "0",
  };
  const agent = spawnSignet(["agent"], { ...settings, ...env }, directory);
  return {
    directory,
    sdsSocket,
    workloadApiSocket,
    ca,
    agent,
    async close() {
      agent.child.kill("SIGKILL");
      await agent.exit;
      await ca.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
