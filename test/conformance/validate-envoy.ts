import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EnvoyFilter, JsonMap } from "@signet/envoy-config";

const hcmType = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const tcpProxyType = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const routerType = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/** An HTTP connection manager with these filters before the router, which answers 200 itself. */
export function httpManager(filters: readonly EnvoyFilter[]): EnvoyFilter {
  const route = { match: { prefix: "/" }, directResponse: { status: 200 } };
  return {
    name: "hcm",
    typedConfig: {
      "@type": hcmType,
      statPrefix: "http",
      routeConfig: { virtualHosts: [{ name: "all", domains: ["*"], routes: [route] }] },
      httpFilters: [...filters, { name: "router", typedConfig: { "@type": routerType } }],
    },
  };
}

/** Network filters before a proxy that has nowhere to go. */
export function tcpChain(filters: readonly EnvoyFilter[]): readonly EnvoyFilter[] {
  return [...filters, { name: "tcp", typedConfig: { "@type": tcpProxyType, statPrefix: "tcp", cluster: "nowhere" } }];
}

/** A listener whose chains are these; Envoy reads all of it in validate mode, and opens nothing. */
export type ListenerToValidate = { readonly name: string; readonly filterChains: readonly JsonMap[] };

/**
 * Returns what Envoy has against the listeners in `--mode validate`, the empty text if nothing.
 *
 * `clusters` are names of clusters that filters refer to; SDS secrets come from a cluster `sds-grpc` that is always there.
 */
export async function envoyProblems(
  envoy: string,
  listeners: readonly ListenerToValidate[],
  clusters: readonly string[] = [],
): Promise<string> {
  const names = new Set(["nowhere", "sds-grpc", ...clusters]);
  const bootstrap = {
    node: { id: "validate", cluster: "validate" },
    // As in Istio's bootstrap: names of service accounts may be longer than Envoy's own limit of 100 allows.
    layeredRuntime: { layers: [{ name: "re2", staticLayer: { "re2.max_program_size.error_level": 32_768 } }] },
    staticResources: {
      listeners: listeners.map((listener) => ({
        ...listener,
        listenerFilters: [{ name: "tls", typedConfig: { "@type": tlsInspectorType } }],
        address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
      })),
      clusters: [...names].map((name) => ({ name, type: "STATIC", connectTimeout: "1s" })),
    },
  };
  const directory = await mkdtemp(join(tmpdir(), "validate-envoy-"));
  try {
    const path = join(directory, "envoy.json");
    await writeFile(path, JSON.stringify(bootstrap));
    return await run(envoy, ["--mode", "validate", "--log-level", "error", "--config-path", path]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const tlsInspectorType = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

async function run(command: string, args: readonly string[]): Promise<string> {
  return await new Promise((resolve) => {
    execFile(command, args, { timeout: 60_000, maxBuffer: 16_777_216 }, (error, stdout, stderr) => {
      resolve(error === null ? "" : `${error.message}\n${stdout}${stderr}`.slice(0, 4000));
    });
  });
}
