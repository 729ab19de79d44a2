import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jwtAuthnFilter } from "@signet/envoy-config";
import { clusterAt, connectionManager, publishPayload } from "../support/bootstrap.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { startEnvoyProcess } from "../support/envoy-process.ts";
import { EnvoyCaller } from "./ask-envoy.ts";
import type { RuleSet } from "./rule-sets.ts";

/** An Envoy with a listener for each set of rules, and an upstream that says what it saw. */
export type JwtMesh = { callerOf(ruleSet: RuleSet): EnvoyCaller; stop(): Promise<void> };

/** Starts them with the configuration that `@signet/envoy-config` makes of the rules. */
export async function startJwtMesh(binary: string, ruleSets: readonly RuleSet[]): Promise<JwtMesh> {
  const directory = await mkdtemp(join(tmpdir(), "signet-jwt-"));
  const socketOf = ({ index }: RuleSet): string => join(directory, `${index}.sock`);
  const upstream = await startEchoUpstream(join(directory, "echo.sock"));
  const listeners = ruleSets.map((ruleSet) => ({
    name: `rules-${ruleSet.index}`,
    address: { pipe: { path: socketOf(ruleSet) } },
    filterChains: [{ filters: [connectionManager([...jwtAuthnFilter(ruleSet.rules).filters, publishPayload()])] }],
  }));
  const clusters = [clusterAt("echo", join(directory, "echo.sock"))];
  const clean = async (): Promise<void> => {
    upstream.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const envoy = await startEnvoyProcess({
      binary,
      directory,
      bootstrap: { staticResources: { clusters, listeners } },
    });
    return {
      callerOf: (ruleSet) => new EnvoyCaller(socketOf(ruleSet)),
      stop: async () => {
        await envoy.stop();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}
