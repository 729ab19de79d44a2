import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Child, childEnvironment, startChild, whenReady } from "./child.ts";
import type { MeshSite } from "./control-plane.ts";
import { demoSpiffeId, demoTrustDomain } from "./demo-workload.ts";
import { readBootstrap, type SidecarName } from "./envoy-bootstrap.ts";
import { poll } from "./poll.ts";
import type { Address, InboundSidecar, OutboundSidecar } from "./sidecar.ts";

/** What an Envoy of the demo is started with. */
export type EnvoyOptions = { readonly binary: string; readonly sdsSocket: string };

/** An Envoy of the demo; `child` for those who want to watch or end the process itself. */
export type EnvoySidecar = { readonly child: Child };

/** Starts the backend's Envoy and resolves once it has its secrets and listens. */
export async function startBackendEnvoy(
  site: MeshSite,
  options: EnvoyOptions & {
    readonly workload: Address;
    /** Of `signet authz`. */
    readonly authzSocket: string;
    readonly listenPort?: number;
  },
  signal: AbortSignal,
): Promise<InboundSidecar & EnvoySidecar> {
  const { workload, authzSocket } = options;
  const values = { TRUST_DOMAIN: demoTrustDomain, WORKLOAD_PORT: workload.port, AUTHZ_SOCKET: authzSocket };
  const envoy = await startEnvoy(site, { ...options, name: "backend", values }, signal);
  const count = (stats: Stats, name: string): number => stats.get(`listener.inbound.ssl.${name}`) ?? 0;
  return {
    child: envoy.child,
    address: envoy.address,
    async refusals(until) {
      const stats = await readStats(envoy.admin, "^listener.inbound.ssl.fail", until);
      return {
        noCertificate: count(stats, "fail_verify_no_cert"),
        untrustedChain: count(stats, "fail_verify_error"),
        wrongName: count(stats, "fail_verify_san"),
      };
    },
    stop: () => envoy.child.stop(),
  };
}

/** Starts the frontend's Envoy and resolves once it has its secrets and listens. */
export async function startFrontendEnvoy(
  site: MeshSite,
  options: EnvoyOptions & { readonly backend: Address },
  signal: AbortSignal,
): Promise<OutboundSidecar & EnvoySidecar> {
  const values = { BACKEND_PORT: options.backend.port, BACKEND_SPIFFE_ID: demoSpiffeId("backend") };
  const envoy = await startEnvoy(site, { ...options, name: "frontend", values }, signal);
  return {
    child: envoy.child,
    address: envoy.address,
    async connectionsEndedByBackend(until) {
      const stats = await readStats(envoy.admin, "^cluster.backend.upstream_cx_destroy", until);
      return stats.get("cluster.backend.upstream_cx_destroy_remote") ?? 0;
    },
    stop: () => envoy.child.stop(),
  };
}

type StartedEnvoy = { readonly child: Child; readonly admin: string; readonly address: Address };

async function startEnvoy(
  site: MeshSite,
  options: EnvoyOptions & {
    readonly name: SidecarName;
    readonly values: Readonly<Record<string, string | number>>;
    readonly listenPort?: number;
  },
  signal: AbortSignal,
): Promise<StartedEnvoy> {
  const { name, binary, sdsSocket, values, listenPort = 0 } = options;
  const admin = join(site.directory, `${name}-admin.sock`);
  const config = join(site.directory, `${name}-envoy.yaml`);
  const common = { NODE_ID: name, ADMIN_SOCKET: admin, SDS_SOCKET: sdsSocket, LISTEN_PORT: listenPort };
  await writeFile(config, await readBootstrap(name, { ...common, ...values }), { mode: 0o600 });
  const child = startChild({
    name: `Envoy of ${name}`,
    command: [binary, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"],
    env: childEnvironment({}),
    logDirectory: site.directory,
    onUnexpectedEnd: site.onUnexpectedEnd,
  });
  const listening = async (): Promise<Address | undefined> => {
    const { status } = await askAdmin(admin, "/ready", signal);
    return status === 200 ? parseListeners((await askAdmin(admin, "/listeners?format=json", signal)).body) : undefined;
  };
  const patience = { what: `the Envoy of ${name}`, limitMs: 30_000 };
  const address = await whenReady(child, () => poll(listening, patience, signal));
  return { child, admin, address };
}

function parseListeners(json: string): Address | undefined {
  const listing = JSON.parse(json) as {
    readonly listener_statuses?: readonly {
      local_address: { socket_address: { address: string; port_value: number } };
    }[];
  };
  const found = listing.listener_statuses?.[0]?.local_address.socket_address;
  return found === undefined ? undefined : { host: found.address, port: found.port_value };
}

type Stats = ReadonlyMap<string, number>;

async function readStats(admin: string, filter: string, signal: AbortSignal): Promise<Stats> {
  const { body } = await askAdmin(admin, `/stats?filter=${encodeURIComponent(filter)}`, signal);
  return new Map(body.split("\n").map((line) => [line.split(": ")[0] ?? "", Number(line.split(": ")[1])]));
}

async function askAdmin(
  socketPath: string,
  path: string,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  request({ socketPath, path, signal, agent: false }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  })
    .once("error", reject)
    .end();
  return await promise;
}
