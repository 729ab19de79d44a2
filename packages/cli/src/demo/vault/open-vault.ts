import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { errorMessage } from "@signet/runtime";
import { startVault } from "./start-vault.ts";
import { connectVault, type VaultServer } from "./vault-server.ts";

/** A Vault that runs and is unsealed, or why there is none. */
export type VaultOpening =
  | { readonly kind: "open"; readonly server: VaultServer }
  | { readonly kind: "unavailable"; readonly reason: string };

/** Where to look, whom to tell, and where a Vault of our own keeps its data. */
export type OpenVaultOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Below it a Vault of our own has its files. */
  readonly directory: string;
  /** Of tools/ensure-vault; another one in tests. */
  readonly ensureProgram?: string;
};

// The recipe (go.mod, go.sum) and the builder are the checkout's and no part of a package, as deploy/envoy is. So the
// demo runs them as a person would, and imports nothing from there; the tests, above all packages, import them. What is
// done with the binary is written once, in this folder, and the tests have it from `@signet/cli/testing`.
const defaultEnsureProgram = fileURLToPath(new URL("../../../../../tools/ensure-vault.ts", import.meta.url));

/**
 * Opens the Vault or OpenBao of VAULT_ADDR and VAULT_TOKEN (and VAULT_CACERT, VAULT_NAMESPACE); without VAULT_ADDR,
 * starts one of our own, whose binary is built on first use, or named by VAULT_BINARY.
 *
 * Where there is none nothing is left behind.
 */
export async function openVault(options: OpenVaultOptions, signal: AbortSignal): Promise<VaultOpening> {
  try {
    return options.env.VAULT_ADDR ? await connectExisting(options.env) : await startOwn(options, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "unavailable", reason: errorMessage(error) };
  }
}

async function connectExisting(env: OpenVaultOptions["env"]): Promise<VaultOpening> {
  const unavailable = (why: string): VaultOpening => ({ kind: "unavailable", reason: `VAULT_ADDR is set, ${why}` });
  if (!env.VAULT_TOKEN) return unavailable("and VAULT_TOKEN, which must be root's, is not");
  let server: VaultServer;
  try {
    server = await connectVault(env);
  } catch (error) {
    return unavailable(`and no Vault answers there: ${errorMessage(error)}`);
  }
  const self = await server.request({ method: "GET", path: "auth/token/lookup-self" });
  if (self.status === 200) return { kind: "open", server };
  return unavailable(
    self.status === 503 ? "and the Vault there is sealed" : `and VAULT_TOKEN is refused there (${self.status})`,
  );
}

async function startOwn(options: OpenVaultOptions, signal: AbortSignal): Promise<VaultOpening> {
  const found = await findBinary(options, signal);
  if (found.kind === "unavailable") return found;
  const spec = { binary: found.path, count: 1, directory: join(options.directory, "vault") };
  return { kind: "open", server: await startVault(spec, signal) };
}

type Binary =
  | { readonly kind: "found"; readonly path: string }
  | Extract<VaultOpening, { readonly kind: "unavailable" }>;

/** Its lines of progress are for people, and go where ours go. */
async function findBinary(
  { env, ensureProgram = defaultEnsureProgram }: OpenVaultOptions,
  signal: AbortSignal,
): Promise<Binary> {
  const child = spawn(process.execPath, [ensureProgram, "--json"], {
    env: { ...env },
    stdio: ["ignore", "pipe", "inherit"],
    signal,
  });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  child.once("error", reject);
  const output = await Promise.race([text(child.stdout), failed]);
  return parseSearch(output);
}

function parseSearch(output: string): Binary {
  try {
    const search: unknown = JSON.parse(output);
    const [kind, path, reason] = ["kind", "path", "reason"].map((name) => Reflect.get(Object(search), name));
    if (kind === "found" && typeof path === "string") return { kind, path };
    if (typeof reason === "string") return { kind: "unavailable", reason };
  } catch {
    // Its own words are on standard error.
  }
  return { kind: "unavailable", reason: "tools/ensure-vault.ts did not say where Vault is" };
}
