import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { type Child, whenReady } from "./child.ts";
import { type MeshSite, startSignet } from "./control-plane.ts";
import { demoNamespace } from "./demo-workload.ts";
import { poll } from "./poll.ts";

/** The workload that policies attach to, as `--workload` has it. */
export const policyWorkload: string = `${demoNamespace}/app=backend`;

/** What the server's decision log has of a denied request. */
export type DeniedRequest = {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly peerPrincipal: string;
};

/** `signet authz`, which decides what the backend's sidecar lets in, and the directory of policies that it follows. */
export interface AuthorizationServer {
  readonly child: Child;
  readonly socketPath: string;
  /** Empty at the start, and with no policy every request is allowed. */
  readonly directory: string;
  /** Puts the one policy file in place, as a whole. The server finds it by itself. */
  apply(yaml: string): Promise<void>;
  /** The newest denied request of the decision log; undefined when there is none. */
  lastDenied(): Promise<DeniedRequest | undefined>;
}

/** Starts the server and resolves once it answers. */
export async function startAuthorizationServer(site: MeshSite, signal: AbortSignal): Promise<AuthorizationServer> {
  const socketPath = join(site.directory, "authz.sock");
  const directory = join(site.directory, "policies");
  await mkdir(directory, { mode: 0o700 });
  const child = startSignet(site, "authorization server", {
    args: ["authz"],
    env: {
      SIGNET_AUTHZ_POLICIES: directory,
      SIGNET_AUTHZ_WORKLOAD: policyWorkload,
      SIGNET_AUTHZ_SOCKET: socketPath,
      SIGNET_AUTHZ_SOCKET_MODE: "0600",
      SIGNET_AUTHZ_STATUS_LISTEN: "127.0.0.1:0",
    },
  });
  await whenReady(child, () =>
    poll(() => canConnect(socketPath), { what: "the authorization server", limitMs: 30_000 }, signal),
  );
  return {
    ...{ child, socketPath, directory },
    async apply(yaml) {
      // Names that begin with a dot are passed over.
      const written = join(directory, ".backend.yaml");
      await writeFile(written, yaml, { mode: 0o600 });
      await rename(written, join(directory, "backend.yaml"));
    },
    lastDenied: async () => lastDeniedIn(await readFile(child.logFile, "utf8")),
  };
}

async function canConnect(socketPath: string): Promise<true> {
  const { promise, resolve, reject } = Promise.withResolvers<true>();
  const socket = connect(socketPath, () => resolve(true)).once("error", reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

function lastDeniedIn(log: string): DeniedRequest | undefined {
  const line = log.split("\n").findLast((one) => one.includes('"request decided"') && one.includes('"deny"'));
  if (line === undefined) return undefined;
  const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const text = (name: string): string => String(fields[name] ?? "");
  return { method: text("method"), host: text("host"), path: text("path"), peerPrincipal: text("peerPrincipal") };
}
