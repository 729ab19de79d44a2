import { readFileSync } from "node:fs";
import { ensureVault } from "../../../tools/ensure-vault.ts";
import { findProgram } from "./find-program.ts";
import { type HttpsAnswer, type HttpsCall, type HttpsServer, httpsJson } from "./https-json.ts";
import { poll } from "./poll.ts";
import type { TestAuthority } from "./test-authority.ts";
import { startVaultNodes, type VaultNode, type VaultNodes } from "./vault-process.ts";

/** One request to Vault; `path` is what follows /v1/. */
export type VaultCall = Omit<HttpsCall, "path"> & {
  readonly path: string;
  /** The root token when absent; the empty text sends none. */
  readonly token?: string;
  /** Of `addresses`; the first when absent. */
  readonly node?: number;
  readonly clientCertificate?: NonNullable<HttpsServer["clientCertificate"]>;
};

/** The Vault that the tests run against: initialised and unsealed. */
export interface VaultServer {
  /** URL of the first node, which is the active one to begin with. */
  readonly address: string;
  /** Of every node. */
  readonly addresses: readonly string[];
  /** Absent with a VAULT_ADDR whose authority Node knows. */
  readonly caPem: string | undefined;
  readonly rootToken: string;
  /** "1.21.0" */
  readonly version: string;
  /** Answers of every status are returned. */
  request(call: VaultCall): Promise<HttpsAnswer>;
  /** What only a Vault of our own can be made to do; absent with VAULT_ADDR. */
  readonly own?: VaultOperator;
  /** Sends these requests, the last first, when a Vault of somebody else is closed; one of our own is thrown away whole. */
  afterUse(call: VaultCall): void;
  close(): Promise<void>;
}

/** What an operator does to Vault. A node is named by its place, the first when absent. */
export interface VaultOperator {
  /** Seals the active node; a standby cannot be sealed by a request. With two nodes the other one is without a quorum then. */
  seal(node?: number): Promise<void>;
  /** Resolves when the node is active or a standby; with two nodes, one that is alone unsealed has no quorum. */
  unseal(node?: number): Promise<void>;
  /** Makes the active node a standby; resolves when another one is active. */
  stepDown(node: number): Promise<void>;
  /** Stops the process where it is (SIGSTOP): connections stay open, nothing answers. */
  pause(node?: number): void;
  resume(node?: number): void;
  kill(node?: number): Promise<void>;
  stop(node?: number): Promise<void>;
  /** Starts a node that has ended, with its data and on its port; it is sealed then. */
  start(node?: number): Promise<void>;
  /** Where the nodes have their certificates from, and clients for TLS certificate login may. */
  readonly authority: TestAuthority;
}

/** Whether there is a Vault to test against; the reasons are empty where there is, and else the rest of a suite's title. */
export type TestVault = {
  readonly skipped: string;
  /** Why tests that seal, stop or restart Vault, or need two nodes, are skipped. */
  readonly skippedOwn: string;
  /** Throws where `skipped` is not empty. */
  start(options?: { readonly nodes?: 1 | 2 }): Promise<VaultServer>;
};

/**
 * Finds, or builds, Vault for a suite: `describe.skipIf(vault.skipped)(`name ${vault.skipped}`, ...)`.
 *
 * With VAULT_ADDR and VAULT_TOKEN (and VAULT_CACERT, VAULT_NAMESPACE) it is the one there; the token must be root's.
 */
export async function findTestVault(env: NodeJS.ProcessEnv = process.env): Promise<TestVault> {
  if (env.VAULT_ADDR) return existingVault(env.VAULT_ADDR, env);
  const found = await findProgram(() => ensureVault(AbortSignal.timeout(3_600_000)));
  return {
    skipped: found.skipped,
    skippedOwn: found.skipped,
    async start(options) {
      if (found.skipped) throw new Error(found.skipped);
      return await startVault(found.path, options);
    },
  };
}

function existingVault(address: string, env: NodeJS.ProcessEnv): TestVault {
  const rootToken = env.VAULT_TOKEN ?? "";
  const skipped = rootToken ? "" : "skipped: VAULT_ADDR is set and VAULT_TOKEN is not";
  const skippedOwn = skipped || "skipped: the server of VAULT_ADDR is not ours to seal";
  async function start(): Promise<VaultServer> {
    const caPem = env.VAULT_CACERT ? readFileSync(env.VAULT_CACERT, "utf8") : undefined;
    const namespace = env.VAULT_NAMESPACE ? { "x-vault-namespace": env.VAULT_NAMESPACE } : {};
    const request = requester({ addresses: [address], caPem, rootToken, headers: namespace });
    const version = (await request({ method: "GET", path: "sys/seal-status" })).textAt("version");
    const afterwards: VaultCall[] = [];
    async function close(): Promise<void> {
      for (const call of afterwards.reverse()) await request(call);
    }
    const afterUse = (call: VaultCall): unknown => afterwards.push(call);
    return { address, addresses: [address], caPem, rootToken, version, request, afterUse, close };
  }
  return { skipped, skippedOwn, start };
}

/** Starts a Vault of our own with TLS and Raft, initialises and unseals it; takes about 5 seconds, with two nodes 10. */
export async function startVault(
  binary: string,
  { nodes: count = 1 }: { readonly nodes?: 1 | 2 } = {},
): Promise<VaultServer> {
  const vault = await startVaultNodes(binary, count);
  try {
    const [first, ...others] = vault.nodes;
    if (first === undefined) throw new Error("there is no node");
    const initialised = await expectOk(first, "sys/init", { secret_shares: 1, secret_threshold: 1 });
    const rootToken = initialised.textAt("root_token");
    const key = initialised.textAt("keys_base64", 0);
    const caPem = vault.authority.certificatePem;
    const addresses = vault.nodes.map(({ address }) => address);
    const request = requester({ addresses, caPem, rootToken, headers: {} });
    await unseal(first, key);
    if (others.length > 0) await joinAll(others, { first, caPem, key, request });
    const version = (await request({ method: "GET", path: "sys/seal-status" })).textAt("version");
    const own = operatorOf(vault, { key, request });
    const { address } = first;
    return { address, addresses, caPem, rootToken, version, request, own, afterUse: () => {}, close: vault.close };
  } catch (error) {
    const log = vault.nodes.map((node) => node.logTail()).join("\n");
    await vault.close();
    throw new Error(`Vault could not be set up: ${error}\n${log}`);
  }
}

/** Resolves when every node has a vote: without one it cannot become the active one. */
async function joinAll(
  others: readonly VaultNode[],
  cluster: {
    readonly first: VaultNode;
    readonly caPem: string;
    readonly key: string;
    readonly request: Requester;
  },
): Promise<void> {
  const { first, caPem, key, request } = cluster;
  // A node has to be there for so long before it may vote; 10 seconds are the default.
  const body = { server_stabilization_time: "1s" };
  await request({ method: "POST", path: "sys/storage/raft/autopilot/configuration", body });
  for (const node of others) {
    await expectOk(node, "sys/storage/raft/join", { leader_api_addr: first.address, leader_ca_cert: caPem });
    await unseal(node, key);
  }
  async function allVote(): Promise<true | undefined> {
    const { body } = await request({ method: "GET", path: "sys/storage/raft/configuration" });
    return JSON.stringify(body).split('"voter":true').length - 1 === others.length + 1 ? true : undefined;
  }
  await poll(allVote, { what: "the vote of every Vault", limitMs: 60_000 });
}

type Requester = (call: VaultCall) => Promise<HttpsAnswer>;

function requester(server: {
  readonly addresses: readonly string[];
  readonly caPem: string | undefined;
  readonly rootToken: string;
  readonly headers: Readonly<Record<string, string>>;
}): Requester {
  const { addresses, caPem, rootToken } = server;
  return async ({ path, token = rootToken, node = 0, clientCertificate, headers, ...call }) => {
    const url = addresses[node];
    if (url === undefined) throw new Error(`there is no node ${node}`);
    const authorization = token === "" ? {} : { "x-vault-token": token };
    return await httpsJson(
      { url, caPem, ...(clientCertificate && { clientCertificate }) },
      { ...call, path: `/v1/${path}`, headers: { ...server.headers, ...authorization, ...headers } },
    );
  };
}

function operatorOf(
  { nodes, authority }: VaultNodes,
  { key, request }: { readonly key: string; readonly request: Requester },
): VaultOperator {
  function nodeAt(index: number): VaultNode {
    const node = nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }
  async function send(path: string, node: number): Promise<void> {
    const answer = await request({ method: "PUT", path, node });
    if (answer.status !== 204)
      throw new Error(`${path} was answered with ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return {
    authority,
    async seal(node = 0) {
      await send("sys/seal", node);
      await untilHealth(nodeAt(node), [503]);
    },
    unseal: (node = 0) => unseal(nodeAt(node), key),
    async stepDown(node) {
      await send("sys/step-down", node);
      await Promise.any(nodes.filter((_one, index) => index !== node).map((other) => untilHealth(other, [200])));
    },
    pause: (node = 0) => nodeAt(node).pause(),
    resume: (node = 0) => nodeAt(node).resume(),
    kill: (node = 0) => nodeAt(node).kill(),
    stop: (node = 0) => nodeAt(node).stop(),
    start: (node = 0) => nodeAt(node).start(),
  };
}

/** Resolves when the node is active, or a standby that knows who is. */
async function unseal(node: VaultNode, key: string): Promise<void> {
  await expectOk(node, "sys/unseal", { key });
  async function look(): Promise<true | undefined> {
    const { status } = await node.request("GET", "sys/health");
    const leader = await node.request("GET", "sys/leader");
    return status === 200 || (status === 429 && leader.textAt("leader_address") !== "") ? true : undefined;
  }
  await poll(look, { what: `${node.address}, unsealed`, limitMs: 60_000 });
}

// sys/health: 200 active, 429 standby, 501 not initialised, 503 sealed.
async function untilHealth(node: VaultNode, wanted: readonly number[]): Promise<void> {
  async function look(): Promise<true | undefined> {
    const { status } = await node.request("GET", "sys/health");
    return wanted.includes(status) ? true : undefined;
  }
  await poll(look, { what: `health ${wanted.join(" or ")} of ${node.address}`, limitMs: 60_000 });
}

async function expectOk(node: VaultNode, path: string, body: unknown): Promise<HttpsAnswer> {
  const answer = await node.request("PUT", path, body);
  if (answer.status >= 300) {
    throw new Error(`${path} was answered with ${answer.status} ${JSON.stringify(answer.at("errors"))}`);
  }
  return answer;
}
