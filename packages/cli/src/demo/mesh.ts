import { type AuthorizationServer, startAuthorizationServer } from "./authorization-server.ts";
import { serveBackendWorkload } from "./backend-workload.ts";
import {
  type Agent,
  type ControlPlane,
  type MeshSite,
  startAgent,
  startControlPlane,
  writeToken,
} from "./control-plane.ts";
import type { WorkloadName } from "./demo-workload.ts";
import { startBackendEnvoy, startFrontendEnvoy } from "./envoy-sidecar.ts";
import { startBackendNode, startFrontendNode } from "./node-sidecar.ts";
import type { Address, InboundSidecar, OutboundSidecar } from "./sidecar.ts";

/** Two workloads that reach each other through their sidecars only, and what gives these their certificates. */
export interface Mesh {
  readonly controlPlane: ControlPlane;
  readonly agents: Readonly<Record<WorkloadName, Agent>>;
  /** Asked by the inbound sidecar about each request. */
  readonly policies: AuthorizationServer;
  readonly inbound: InboundSidecar;
  readonly outbound: OutboundSidecar;
  /** Ends what was started, in the opposite order. */
  stop(): Promise<void>;
}

/** What a mesh is made of. */
export type MeshOptions = {
  /** Path of an Envoy, or undefined for sidecars made of Node's TLS. */
  readonly envoy: string | undefined;
  /** Of the workloads' certificates, in Go's notation. */
  readonly lifetime: string;
  /** What makes the CA server sign with another CA than one of its own. */
  readonly caEnvironment?: Readonly<Record<string, string>>;
  /** Told what is up, as it comes up. */
  readonly onProgress: (text: string) => void;
};

/** Starts a mesh and resolves once both sidecars serve; when something does not come up, nothing stays. */
export async function startMesh(site: MeshSite, options: MeshOptions, signal: AbortSignal): Promise<Mesh> {
  const started = new AsyncDisposableStack();
  try {
    return await startParts(site, options, { started, signal });
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}

async function startParts(
  site: MeshSite,
  options: MeshOptions,
  { started, signal }: { started: AsyncDisposableStack; signal: AbortSignal },
): Promise<Mesh> {
  const { caEnvironment = {} } = options;
  const controlPlane = await startControlPlane(site, { caEnvironment }, signal);
  started.defer(() => controlPlane.child.stop());
  const { addresses } = controlPlane;
  options.onProgress(`CA server on ${addresses.caAddress}, token issuer ${addresses.issuer}`);

  const tokenFiles = {
    frontend: await writeToken(site, "frontend", signal),
    backend: await writeToken(site, "backend", signal),
  };
  const agentOf = (workload: WorkloadName): Agent => {
    const { lifetime } = options;
    const agent = startAgent(site, { workload, tokenFile: tokenFiles[workload], addresses, lifetime });
    started.defer(() => agent.child.stop());
    return agent;
  };
  const agents = { frontend: agentOf("frontend"), backend: agentOf("backend") };

  const policies = await startAuthorizationServer(site, signal);
  started.defer(() => policies.child.stop());
  const workload = await serveBackendWorkload();
  started.defer(() => workload.close());
  const sidecars = sidecarsOf(site, options.envoy);
  const behind = { workload: workload.address, authzSocket: policies.socketPath };
  const inbound = await sidecars.inbound(agents.backend, behind, signal);
  started.defer(() => inbound.stop());
  const outbound = await sidecars.outbound(agents.frontend, inbound.address, signal);
  started.defer(() => outbound.stop());
  options.onProgress(`both sidecars have certificates of ${options.lifetime} from their agents`);
  return { controlPlane, agents, policies, inbound, outbound, stop: () => started.disposeAsync() };
}

type Behind = { readonly workload: Address; readonly authzSocket: string };

type Sidecars = {
  inbound(agent: Agent, behind: Behind, signal: AbortSignal): Promise<InboundSidecar>;
  outbound(agent: Agent, backend: Address, signal: AbortSignal): Promise<OutboundSidecar>;
};

function sidecarsOf(site: MeshSite, envoy: string | undefined): Sidecars {
  if (envoy === undefined) {
    return {
      inbound: (agent, behind, signal) => startBackendNode({ sdsSocket: agent.socketPath, ...behind }, signal),
      outbound: (agent, backend, signal) => startFrontendNode({ sdsSocket: agent.socketPath, backend }, signal),
    };
  }
  return {
    inbound: (agent, behind, signal) =>
      startBackendEnvoy(site, { binary: envoy, sdsSocket: agent.socketPath, ...behind }, signal),
    outbound: (agent, backend, signal) =>
      startFrontendEnvoy(site, { binary: envoy, sdsSocket: agent.socketPath, backend }, signal),
  };
}
