import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ensurePrivateDirectory, writeFileAtomic } from "@signet/runtime";
import { fillPlaceholders } from "../demo/envoy-bootstrap.ts";

/** Where `signet dev` keeps things; all paths are absolute. */
export type DevFiles = {
  readonly stateDirectory: string;
  /** The CA's key and certificate. */
  readonly caDirectory: string;
  readonly rootCertificate: string;
  readonly envoyBootstrap: string;
  /** Sockets of the agent and the Envoy whose commands are printed. */
  readonly socketDirectory: string;
  readonly sdsSocket: string;
};

// A Unix socket's path has at most 107 bytes; Envoy's own sockets have the longest names here.
const longestSocketDirectory = 107 - "/envoy-inbound.sock".length;

/** The files under a state directory, whose own directory and socket directory exist from then on (mode 0700). */
export async function openDevFiles(stateDirectory: string): Promise<DevFiles> {
  const root = resolve(stateDirectory);
  const socketDirectory = shortEnough(join(root, "sockets"));
  await ensurePrivateDirectory(root);
  await ensurePrivateDirectory(socketDirectory);
  return {
    stateDirectory: root,
    caDirectory: join(root, "ca"),
    rootCertificate: join(root, "root-cert.pem"),
    envoyBootstrap: join(root, "envoy.yaml"),
    socketDirectory,
    sdsSocket: join(socketDirectory, "frontend.sock"),
  };
}

/** The same state directory always gets the same place, so that commands printed earlier stay right. */
function shortEnough(directory: string): string {
  if (Buffer.byteLength(directory) <= longestSocketDirectory) return directory;
  const name = createHash("sha256").update(directory).digest("hex").slice(0, 12);
  return join(tmpdir(), `signet-${process.getuid?.() ?? 0}-${name}`);
}

/** Writes the bootstrap of the Envoy whose command is printed. */
export async function writeEnvoyBootstrap(
  files: DevFiles,
  { trustDomain, port }: { readonly trustDomain: string; readonly port: number },
): Promise<void> {
  const template = await readFile(new URL("../../../../deploy/envoy/dev.yaml", import.meta.url), "utf8");
  const bootstrap = fillPlaceholders(template, {
    NODE_ID: "frontend",
    ADMIN_SOCKET: join(files.socketDirectory, "envoy-admin.sock"),
    INBOUND_SOCKET: join(files.socketDirectory, "envoy-inbound.sock"),
    LISTEN_PORT: port,
    SDS_SOCKET: files.sdsSocket,
    TRUST_DOMAIN: trustDomain,
  });
  await writeFileAtomic(files.envoyBootstrap, bootstrap, { mode: 0o600 });
}
