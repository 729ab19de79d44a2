import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer, type Server } from "node:tls";
import { freePorts } from "@signet/cli/testing";
import { parseDocuments, parseMeshConfig, parseWorkload } from "@signet/documents";
import { workloadFilterChains } from "@signet/envoy-config";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { clusterAt, connectionManager } from "../differential/support/bootstrap.ts";
import { startEchoUpstream } from "../differential/support/echo-upstream.ts";
import { startEnvoyProcess } from "../differential/support/envoy-process.ts";

/** A certificate and its key, in PEM. */
export type PemPair = { readonly cert: string; readonly key: string };

/** One listener of a workload for each mode, and one for a port with a mode of its own. */
export type MutualTlsMesh = {
  /** Ports that listen, by mode; `port` has STRICT for the workload and DISABLE for itself. */
  readonly ports: Readonly<Record<"STRICT" | "PERMISSIVE" | "DISABLE" | "port", number>>;
  /** Of the mesh's trust domain, of its alias, of another trust domain under the same root, and of another root. */
  readonly clients: Readonly<Record<"own" | "alias" | "foreign" | "stranger", PemPair>>;
  readonly rootPem: string;
  stop(): Promise<void>;
};

/** Starts an Envoy with the chains that are generated for the modes, its secrets from files. */
export async function startMutualTlsMesh(envoy: string): Promise<MutualTlsMesh> {
  const directory = await mkdtemp(join(tmpdir(), "mutual-tls-"));
  const root = await testRoot();
  const client = (trustDomain: string, ca: TestCa): Promise<PemPair> =>
    pemPair(ca, `spiffe://${trustDomain}/ns/web/sa/shop`);
  const clients = {
    own: await client("cluster.local", root),
    alias: await client("old.example", root),
    foreign: await client("other.example", root),
    stranger: await client("cluster.local", await testRoot()),
  };
  const own = await pemPair(root, "spiffe://cluster.local/ns/foo/sa/a");
  await writeSecrets(directory, own, root.pem);
  const upstream = await startEchoUpstream(join(directory, "echo.sock"));
  const tlsUpstream = await startTlsUpstream(own, join(directory, "tls.sock"));
  const [strict = 0, permissive = 0, disable = 0, port = 0] = await freePorts(4);
  const ports = { STRICT: strict, PERMISSIVE: permissive, DISABLE: disable, port };
  const listeners = Object.entries(ports).map(([name, at]) => listener(at, documentOf(name, at), directory));
  const clusters = ["echo", "tls"].map((name) => clusterAt(name, join(directory, `${name}.sock`)));
  const running = await startEnvoyProcess({
    binary: envoy,
    directory,
    bootstrap: { node: { id: "a", cluster: "a" }, staticResources: { listeners, clusters } },
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    upstream.close();
    tlsUpstream.close();
    await rm(directory, { recursive: true, force: true });
  };
  return { ports, clients, rootPem: root.pem, stop };
}

/** A workload that ends TLS itself, and answers 201. */
async function startTlsUpstream(pair: PemPair, path: string): Promise<Server> {
  const server = createServer(pair, (socket) => {
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return server;
}

async function pemPair(ca: TestCa, spiffeId: string): Promise<PemPair> {
  const { chain, key } = await testLeaf(ca, { spiffeId });
  return { cert: chain.map(certificatePem).join(""), key: privateKeyPem(key, "pkcs8") };
}

function documentOf(mode: string, port: number): string {
  const spec =
    mode === "port"
      ? `selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, portLevelMtls: {"${port}": {mode: DISABLE}}`
      : `mtls: {mode: ${mode}}`;
  return `{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p, namespace: foo}, spec: {${spec}}}`;
}

const inspector = (name: string): object => ({
  name,
  typedConfig: {
    "@type": `type.googleapis.com/envoy.extensions.filters.listener.${name}_inspector.v3.${name === "tls" ? "Tls" : "Http"}Inspector`,
  },
});

const tcpProxyType = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

function listener(portValue: number, policy: string, directory: string): object {
  const { documents } = parseDocuments(policy, { file: "peers.yaml" });
  const parsed = parseMeshConfig("trustDomainAliases: [old.example]", { file: "mesh.yaml" });
  if (parsed.kind === "refused" || documents.length === 0) throw new Error("the documents are refused");
  const chains = workloadFilterChains(documents, parseWorkload("foo/app=a"), { meshConfig: parsed.meshConfig });
  const tcp = (cluster: string): object => ({
    name: "tcp",
    typedConfig: { "@type": tcpProxyType, statPrefix: "tcp", cluster },
  });
  return {
    name: `${portValue}`,
    address: { socketAddress: { address: "127.0.0.1", portValue } },
    listenerFilters: [inspector("tls"), inspector("http")],
    filterChains: chains.map((chain) => {
      const isOpaque = chain.transportSocket === undefined && chain.filterChainMatch.transportProtocol === "tls";
      const filter = chain.name.endsWith("-http") ? connectionManager([]) : tcp(isOpaque ? "tls" : "echo");
      return { ...withFiles(chain, directory), filters: [filter] };
    }),
  };
}

/** The same chain with secrets from files and not from an agent. */
function withFiles(chain: object, directory: string): object {
  return JSON.parse(JSON.stringify(chain), (_name, value: unknown) => {
    if (typeof value !== "object" || value === null || !("sdsConfig" in value) || !("name" in value)) return value;
    return { name: value.name, sdsConfig: { pathConfigSource: { path: join(directory, `${value.name}.json`) } } };
  });
}

async function writeSecrets(directory: string, { cert, key }: PemPair, rootPem: string): Promise<void> {
  const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
  const certificate = { certificateChain: { inlineString: cert }, privateKey: { inlineString: key } };
  const secrets = {
    default: { "@type": type, name: "default", tlsCertificate: certificate },
    ROOTCA: { "@type": type, name: "ROOTCA", validationContext: { trustedCa: { inlineString: rootPem } } },
  };
  for (const [name, secret] of Object.entries(secrets)) {
    await writeFile(join(directory, `${name}.json`), JSON.stringify({ resources: [secret] }), { mode: 0o600 });
  }
}

/** How a client connects: plaintext, or TLS with these protocols and perhaps a certificate. */
export type ClientOptions = { readonly tls?: { readonly alpn: readonly string[]; readonly pair?: PemPair } };

/** What a request over HTTP/1.1 brings: a status, or nothing where the connection ends or TLS fails. */
export async function askOverPort(port: number, { tls }: ClientOptions): Promise<number | "nothing"> {
  const socket: Socket =
    tls === undefined
      ? connect(port, "127.0.0.1")
      : connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: [...tls.alpn], ...tls.pair });
  return await new Promise((resolve) => {
    socket.setTimeout(10_000, () => socket.destroy());
    socket.once("data", (chunk: Buffer) => {
      socket.destroy();
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(chunk.toString("latin1")) ?? [];
      resolve(status === undefined ? "nothing" : Number(status));
    });
    socket.once("error", () => resolve("nothing"));
    socket.once("close", () => resolve("nothing"));
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  });
}
