import { poll } from "../poll.ts";
import type { HttpsAnswer } from "./https-json.ts";
import type { ServerAuthority } from "./server-authority.ts";
import type { VaultNode, VaultNodes } from "./vault-process.ts";
import type { VaultRequester } from "./vault-server.ts";

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
  readonly authority: ServerAuthority;
}

const limitMs = 60_000;

/** Returns the operator of nodes that are initialised with the unseal key `key`. */
export function vaultOperator(
  { nodes, authority }: VaultNodes,
  { key, request }: { readonly key: string; readonly request: VaultRequester },
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
    unseal: (node = 0) => unsealNode(nodeAt(node), key),
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

/** Unseals a node and resolves when it is active, or a standby that knows who is. */
export async function unsealNode(node: VaultNode, key: string, signal?: AbortSignal): Promise<void> {
  await writeToNode(node, "sys/unseal", { key });
  async function look(): Promise<true | undefined> {
    const { status } = await node.request("GET", "sys/health");
    const leader = await node.request("GET", "sys/leader");
    return status === 200 || (status === 429 && leader.textAt("leader_address") !== "") ? true : undefined;
  }
  await poll(look, { what: `${node.address}, unsealed`, limitMs }, signal);
}

/** Writes without a token, as is done with a Vault that is not unsealed; throws where it is refused. */
export async function writeToNode(node: VaultNode, path: string, body: unknown): Promise<HttpsAnswer> {
  const answer = await node.request("PUT", path, body);
  if (answer.status >= 300) {
    throw new Error(`${path} was answered with ${answer.status} ${JSON.stringify(answer.at("errors"))}`);
  }
  return answer;
}

// sys/health: 200 active, 429 standby, 501 not initialised, 503 sealed.
async function untilHealth(node: VaultNode, wanted: readonly number[]): Promise<void> {
  async function look(): Promise<true | undefined> {
    const { status } = await node.request("GET", "sys/health");
    return wanted.includes(status) ? true : undefined;
  }
  await poll(look, { what: `health ${wanted.join(" or ")} of ${node.address}`, limitMs });
}
