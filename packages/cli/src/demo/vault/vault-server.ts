import { readFileSync } from "node:fs";
import { type HttpsAnswer, type HttpsCall, type HttpsServer, httpsJson } from "./https-json.ts";
import type { VaultOperator } from "./vault-operator.ts";

/** One request to Vault; `path` is what follows /v1/. */
export type VaultCall = Omit<HttpsCall, "path"> & {
  readonly path: string;
  /** The root token when absent; the empty text sends none. */
  readonly token?: string;
  /** Of `addresses`; the first when absent. */
  readonly node?: number;
  readonly clientCertificate?: NonNullable<HttpsServer["clientCertificate"]>;
};

/** A Vault, initialised and unsealed, and its root token. */
export interface VaultServer {
  /** URL of the first node, which is the active one to begin with. */
  readonly address: string;
  /** Of every node. */
  readonly addresses: readonly string[];
  /** Absent with a VAULT_ADDR whose authority Node knows. */
  readonly caPem: string | undefined;
  readonly rootToken: string;
  /** What VAULT_NAMESPACE says for a Vault of somebody else. */
  readonly namespace?: string;
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

/**
 * Connects to the Vault or OpenBao that VAULT_ADDR names, with VAULT_TOKEN, which must be root's, VAULT_CACERT and
 * VAULT_NAMESPACE.
 * @throws Error when it does not answer, or not as Vault does
 */
export async function connectVault(env: Readonly<Record<string, string | undefined>>): Promise<VaultServer> {
  const {
    VAULT_ADDR: address = "",
    VAULT_TOKEN: rootToken = "",
    VAULT_CACERT: caFile,
    VAULT_NAMESPACE: namespace,
  } = env;
  const caPem = caFile ? readFileSync(caFile, "utf8") : undefined;
  const headers = namespace ? { "x-vault-namespace": namespace } : {};
  const request = vaultRequester({ addresses: [address], caPem, rootToken, headers });
  const version = (await request({ method: "GET", path: "sys/seal-status" })).textAt("version");
  const afterwards: VaultCall[] = [];
  async function close(): Promise<void> {
    for (const call of afterwards.reverse()) await request(call);
  }
  const afterUse = (call: VaultCall): unknown => afterwards.push(call);
  const place = { address, addresses: [address], caPem, rootToken, ...(namespace ? { namespace } : {}) };
  return { ...place, version, request, afterUse, close };
}

/** Sends requests to the nodes of one Vault. */
export type VaultRequester = VaultServer["request"];

/** Returns a sender of requests, with the root token where a request has no other. */
export function vaultRequester(server: {
  readonly addresses: readonly string[];
  readonly caPem: string | undefined;
  readonly rootToken: string;
  readonly headers: Readonly<Record<string, string>>;
}): VaultRequester {
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
