import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAuthzSettings, type RunningAuthzServer, startAuthzServer } from "@signet/authz-server";
import { createLogger, systemClock } from "@signet/runtime";
import { extAuthz, grpcClusterAt } from "../support/bootstrap.ts";
import { startEnvoyProcess } from "../support/envoy-process.ts";
import { answeringManager, type ListenerPorts, listener, readPorts } from "./envoy-mesh.ts";
import type { Identities } from "./identities.ts";
import { type PolicySet, trustDomain, trustDomainAliases } from "./policy-sets.ts";
import { jwtDocument } from "./tokens.ts";

/** An Envoy that knows no policies and asks an authorization server of each set, over a Unix socket. */
export type CheckMesh = { portsOf(policySet: PolicySet): ListenerPorts; stop(): Promise<void> };

/** Starts the servers and the Envoy. */
export async function startCheckMesh(
  binary: string,
  policySets: readonly PolicySet[],
  identities: Identities,
): Promise<CheckMesh> {
  const directory = await mkdtemp(join(tmpdir(), "signet-check-"));
  const servers: RunningAuthzServer[] = [];
  const clean = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const policySet of policySets) servers.push(await startServer(directory, policySet));
    const clusters = policySets.map(({ index }) => grpcClusterAt(`authz-${index}`, socketOf(directory, index)));
    const listeners = policySets.map(({ index }) =>
      listener(`check-${index}`, [answeringManager([extAuthz(`authz-${index}`)])], identities),
    );
    const envoy = await startEnvoyProcess({
      binary,
      directory,
      bootstrap: { staticResources: { clusters, listeners } },
    });
    const ports = readPorts(await envoy.ask("/listeners?format=json"));
    return {
      portsOf: ({ index }) => ports.get(`check-${index}`) ?? { v4: 0, v6: 0 },
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

function socketOf(directory: string, index: number): string {
  return join(directory, `${index}.sock`);
}

async function startServer(directory: string, { index, text }: PolicySet): Promise<RunningAuthzServer> {
  const policies = join(directory, `policies-${index}`);
  const meshConfig = join(directory, "mesh.yaml");
  await mkdir(policies);
  await writeFile(join(policies, "policies.yaml"), text);
  await writeFile(join(policies, "jwt.json"), jwtDocument());
  await writeFile(meshConfig, JSON.stringify({ trustDomain, trustDomainAliases }));
  const result = parseAuthzSettings(
    [
      ...["--policies", policies, "--socket", socketOf(directory, index), "--status-listen", "127.0.0.1:0"],
      ...[
        "--workload",
        "foo/app=httpbin",
        "--mesh-config",
        meshConfig,
        "--trusted-hops",
        "1",
        "--decision-log",
        "none",
      ],
    ],
    {},
  );
  if (result.kind !== "settings") throw new Error(JSON.stringify(result));
  const logger = createLogger({ name: "authz", level: "error" });
  return await startAuthzServer(result.settings, { clock: systemClock, random: Math.random, logger });
}
