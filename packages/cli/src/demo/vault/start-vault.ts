import { poll } from "../poll.ts";
import { unsealNode, vaultOperator, writeToNode } from "./vault-operator.ts";
import { startVaultNodes, type VaultNode, type VaultNodesSpec } from "./vault-process.ts";
import { type VaultRequester, type VaultServer, vaultRequester } from "./vault-server.ts";

/** Starts a Vault of our own with TLS and Raft, initialises and unseals it; takes about 5 seconds, with two nodes 10. */
export async function startVault(spec: VaultNodesSpec, signal: AbortSignal): Promise<VaultServer> {
  const vault = await startVaultNodes(spec, signal);
  try {
    const [first, ...others] = vault.nodes;
    if (first === undefined) throw new Error("there is no node");
    const initialised = await writeToNode(first, "sys/init", { secret_shares: 1, secret_threshold: 1 });
    const rootToken = initialised.textAt("root_token");
    const key = initialised.textAt("keys_base64", 0);
    const caPem = vault.authority.certificatePem;
    const addresses = vault.nodes.map(({ address }) => address);
    const request = vaultRequester({ addresses, caPem, rootToken, headers: {} });
    await unsealNode(first, key, signal);
    if (others.length > 0) await joinAll(others, { first, caPem, key, request }, signal);
    const version = (await request({ method: "GET", path: "sys/seal-status" })).textAt("version");
    const own = vaultOperator(vault, { key, request });
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
    readonly request: VaultRequester;
  },
  signal: AbortSignal,
): Promise<void> {
  const { first, caPem, key, request } = cluster;
  // A node has to be there for so long before it may vote; 10 seconds are the default.
  const body = { server_stabilization_time: "1s" };
  await request({ method: "POST", path: "sys/storage/raft/autopilot/configuration", body });
  for (const node of others) {
    await writeToNode(node, "sys/storage/raft/join", { leader_api_addr: first.address, leader_ca_cert: caPem });
    await unsealNode(node, key, signal);
  }
  async function allVote(): Promise<true | undefined> {
    const { body } = await request({ method: "GET", path: "sys/storage/raft/configuration" });
    return JSON.stringify(body).split('"voter":true').length - 1 === others.length + 1 ? true : undefined;
  }
  await poll(allVote, { what: "the vote of every Vault", limitMs: 60_000 }, signal);
}
