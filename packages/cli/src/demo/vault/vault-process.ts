import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { poll } from "../poll.ts";
import { freePorts } from "./free-ports.ts";
import { type HttpsAnswer, httpsJson } from "./https-json.ts";
import { createServerAuthority, type ServerAuthority } from "./server-authority.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** One process of Vault with Raft storage of its own; a new one is neither initialised nor unsealed. */
export interface VaultNode {
  readonly address: string;
  /** One request without a token; `path` is what follows /v1/. */
  request(method: string, path: string, body?: unknown): Promise<HttpsAnswer>;
  /** Starts it, when it does not run, and resolves when it answers: sealed, as every Vault that was started. */
  start(signal?: AbortSignal): Promise<void>;
  pause(): void;
  resume(): void;
  /** Ends it with SIGKILL; the data stays. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM; the data stays. */
  stop(): Promise<void>;
  logTail(): string;
}

/** Started nodes that are not joined yet, and the authority of their certificates. */
export interface VaultNodes {
  readonly nodes: readonly VaultNode[];
  readonly authority: ServerAuthority;
  /** Ends all of them and removes their data. */
  close(): Promise<void>;
}

const answersLimitMs = 60_000;

/** What to start. */
export type VaultNodesSpec = {
  readonly binary: string;
  readonly count: number;
  /** Made, and removed in the end. */
  readonly directory: string;
};

/** Starts Vault processes, with TLS on free ports of 127.0.0.1. */
export async function startVaultNodes(
  { binary, count, directory }: VaultNodesSpec,
  signal: AbortSignal,
): Promise<VaultNodes> {
  const authority = await createServerAuthority("signet vault servers");
  const ports = await freePorts(2 * count);
  const nodes: VaultNode[] = [];
  async function close(): Promise<void> {
    await Promise.all(nodes.map((node) => node.kill()));
    await rm(directory, { recursive: true, force: true });
  }
  try {
    for (let index = 0; index < count; index += 1) {
      const [port = 0, clusterPort = 0] = ports.slice(2 * index);
      const place = { directory: join(directory, `node-${index}`), port, clusterPort };
      await writeNodeFiles(place, { authority, nodeId: `node-${index}` });
      nodes.push(createNode(binary, place, authority.certificatePem));
    }
    await Promise.all(nodes.map((node) => node.start(signal)));
  } catch (error) {
    const log = nodes.map((node) => node.logTail()).join("\n");
    await close();
    throw new Error(`Vault did not start: ${error}\n${log}`);
  }
  return { nodes, authority, close };
}

type NodePlace = { readonly directory: string; readonly port: number; readonly clusterPort: number };

function createNode(binary: string, { directory, port }: NodePlace, caPem: string): VaultNode {
  const address = `https://127.0.0.1:${port}`;
  let running: ServerProcess | undefined;
  const request: VaultNode["request"] = (method, path, body) =>
    httpsJson({ url: address, caPem }, { method, path: `/v1/${path}`, body });
  async function start(signal?: AbortSignal): Promise<void> {
    if (running?.running()) return;
    const started = await startServerProcess({
      command: [binary, "server", `-config=${join(directory, "config.json")}`],
      env: { HOME: directory },
      logFile: join(directory, "vault.log"),
      directory,
    });
    running = started;
    async function answers(): Promise<true> {
      if (started.running()) await request("GET", "sys/health");
      return true;
    }
    await poll(answers, { what: "Vault", limitMs: answersLimitMs }, signal);
    if (!started.running()) throw new Error(`Vault ended by itself:\n${started.logTail()}`);
  }
  return {
    ...{ address, request, start },
    pause: () => running?.pause(),
    resume: () => running?.resume(),
    kill: async () => running?.kill(),
    stop: async () => running?.stop(),
    logTail: () => running?.logTail() ?? "",
  };
}

async function writeNodeFiles(
  { directory, port, clusterPort }: NodePlace,
  { authority, nodeId }: { readonly authority: ServerAuthority; readonly nodeId: string },
): Promise<void> {
  await mkdir(join(directory, "raft"), { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(directory, name);
  const serving = await authority.issue([
    { kind: "ip", value: "127.0.0.1" },
    { kind: "dns", value: "localhost" },
  ]);
  const config = {
    storage: { raft: { path: file("raft"), node_id: nodeId, performance_multiplier: 1 } },
    listener: {
      tcp: {
        address: `127.0.0.1:${port}`,
        cluster_address: `127.0.0.1:${clusterPort}`,
        tls_cert_file: file("serving.pem"),
        tls_key_file: file("serving-key.pem"),
      },
    },
    api_addr: `https://127.0.0.1:${port}`,
    cluster_addr: `https://127.0.0.1:${clusterPort}`,
    disable_mlock: true,
    log_level: "warn",
  };
  const write = (name: string, text: string) => writeFile(file(name), text, { mode: 0o600 });
  await write("serving.pem", serving.certificatePem);
  await write("serving-key.pem", serving.privateKeyPem);
  await write("config.json", JSON.stringify(config));
}
