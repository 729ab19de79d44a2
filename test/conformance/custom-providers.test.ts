import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseDocuments, parseMeshConfig, parseWorkload } from "@signet/documents";
import { workloadFilters } from "@signet/envoy-config";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clusterAt, connectionManager } from "../differential/support/bootstrap.ts";
import { type EchoUpstream, startEchoUpstream } from "../differential/support/echo-upstream.ts";
import { type EnvoyProcess, startEnvoyProcess } from "../differential/support/envoy-process.ts";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { type CheckProvider, startCheckProvider } from "./check-provider.ts";

const envoy = await findTestEnvoy();

const custom = (provider: string, ...paths: readonly string[]): string => `---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: of-${provider}, namespace: foo}, spec: {action: CUSTOM, provider: {name: ${provider}}, rules: [{to: [{operation: {paths: [${paths.join()}]}}]}]}}
`;
const mesh = (names: readonly string[], rest = ""): string =>
  `extensionProviders: [${names.map((name) => `{name: ${name}, envoyExtAuthzGrpc: {service: ${name}.example, port: 9000, timeout: 5s${rest}}}`).join()}]`;

/** Filters of policies in YAML for a chain. */
function filtersOf(policies: string, meshConfig: string, listener: "inbound" | "tcp" = "inbound"): readonly object[] {
  const { documents, refused } = parseDocuments(policies, { file: "policies.yaml" });
  const parsed = parseMeshConfig(meshConfig, { file: "mesh.yaml" });
  if (refused.length > 0 || parsed.kind === "refused") throw new Error("the documents are refused");
  const options = { listener, meshConfig: parsed.meshConfig, severalProviders: true };
  return workloadFilters(documents, parseWorkload("foo/app=a"), options).filters;
}

const tcpProxy = {
  name: "tcp",
  typedConfig: {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    statPrefix: "tcp",
    cluster: "echo",
  },
};

let directory = "";
let running: EnvoyProcess | undefined;
let upstream: EchoUpstream | undefined;
let providers: readonly CheckProvider[] = [];
const asked: string[] = [];
beforeEach(() => void asked.splice(0));

beforeAll(async () => {
  if (envoy.path === "") return;
  directory = await mkdtemp(join(tmpdir(), "custom-"));
  const socket = (name: string): string => join(directory, `${name}.sock`);
  upstream = await startEchoUpstream(socket("echo"));
  providers = await Promise.all(["a", "a-n"].map((name) => startCheckProvider(name, socket(name), asked)));
  const both = custom("a", "/a*", "/both") + custom("a-n", "/n*", "/both");
  const listener = (name: string, filters: readonly object[]): object => ({
    name,
    address: { pipe: { path: socket(name) } },
    filterChains: [{ filters }],
  });
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicitHttpConfig: { http2ProtocolOptions: {} },
  };
  const providerCluster = (name: string): object => ({
    ...clusterAt(`outbound|9000||${name}.example`, socket(name)),
    typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
  });
  running = await startEnvoyProcess({
    binary: envoy.path,
    directory,
    bootstrap: {
      staticResources: {
        listeners: [
          listener("http", [connectionManager(filtersOf(both, mesh(["a", "a-n"])))]),
          listener("bad", [connectionManager(filtersOf(both, mesh(["a"])))]),
          listener("dead", [
            connectionManager(filtersOf(custom("dead", "/a"), mesh(["dead"], ', statusOnError: "503"'))),
          ]),
          listener("open", [connectionManager(filtersOf(custom("dead", "/a"), mesh(["dead"], ", failOpen: true")))]),
          listener("tcp", [...filtersOf(custom("a-n", "/a"), mesh(["a-n"]), "tcp"), tcpProxy]),
          listener("tcp-bad", [...filtersOf(custom("a", "/a"), mesh([]), "tcp"), tcpProxy]),
        ],
        clusters: [clusterAt("echo", socket("echo")), ...["a", "a-n", "dead"].map(providerCluster)],
      },
    },
  });
});

afterAll(async () => {
  await running?.stop();
  upstream?.close();
  for (const provider of providers) provider.close();
  if (directory !== "") await rm(directory, { recursive: true, force: true });
});

type Answer = { readonly status: number; readonly body: string };

async function get(listener: string, path: string): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    request(
      { socketPath: join(directory, `${listener}.sock`), path, agent: false, headers: { host: "a" } },
      (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      },
    )
      .once("error", reject)
      .end();
  });
}

describe.skipIf(envoy.path === "")(`CUSTOM in a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  test.each([
    ["/x", 200, []],
    ["/a1", 200, ["a"]],
    ["/n1", 200, ["a-n"]],
    ["/both", 200, ["a", "a-n"]],
    ["/a1?deny-a-n.", 200, ["a"]],
    ["/a1?deny-a.", 403, ["a"]],
    ["/both?deny-a.", 403, ["a"]],
    ["/both?deny-a-n.", 403, ["a", "a-n"]],
  ])("%s is answered %i, and %j are asked", async (path, status, expected) => {
    expect((await get("http", path)).status).toBe(status);
    expect(asked).toEqual(expected);
  });

  test("what a provider that there is not would be asked about is denied, and nothing else", async () => {
    expect(await get("bad", "/n1")).toEqual({ status: 403, body: "RBAC: access denied" });
    expect((await get("bad", "/a1")).status).toBe(200);
    expect((await get("bad", "/x")).status).toBe(200);
    expect(asked).toEqual(["a"]);
  });

  test("what a provider that is away is asked about is denied with its status, unless it may pass", async () => {
    expect((await get("dead", "/a")).status).toBe(503);
    expect((await get("dead", "/b")).status).toBe(200);
    expect((await get("open", "/a")).status).toBe(200);
  });

  test("TCP is put to a provider by rules without what is HTTP", async () => {
    expect(await exchange("tcp", "GET /x HTTP/1.1\r\nhost: a\r\n\r\n")).toContain("HTTP/1.1 200");
    expect(asked).toEqual(["a-n"]);
    expect(await exchange("tcp-bad", "GET /x HTTP/1.1\r\nhost: a\r\n\r\n")).toBe("");
  });
});

/** What comes back for octets, until the first answer or the end. */
async function exchange(listener: string, octets: string): Promise<string> {
  const socket = connect(join(directory, `${listener}.sock`));
  socket.write(octets);
  return await new Promise((resolve) => {
    socket.once("data", (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk.toString("latin1"));
    });
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
  });
}
