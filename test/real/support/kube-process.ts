import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createServerAuthority,
  freePorts,
  type HttpsServer,
  httpsJson,
  poll,
  type ServerAuthority,
  type ServerProcess,
  startServerProcess,
} from "@signet/cli/testing";

/** The binaries that make a Kubernetes API server. */
export type KubeBinaries = { readonly kubeApiserver: string; readonly etcd: string };

/** An API server of our own with the etcd below it, and the administrator's way in. */
export interface KubeProcess {
  readonly url: string;
  readonly caPem: string;
  readonly adminToken: string;
  /** A directory that goes with the server. */
  readonly directory: string;
  /** Client certificates from here are accepted: the common name is the user. */
  readonly clientAuthority: ServerAuthority;
  /** Stops the API server where it is (SIGSTOP): connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends the API server with SIGKILL; the data stays. */
  kill(): Promise<void>;
  /** Ends the API server with SIGTERM; the data stays. */
  stop(): Promise<void>;
  /** Starts an API server that has ended again, on the same port with the same keys and data, and waits until it is ready. */
  start(): Promise<void>;
  /** Ends everything and removes the data. */
  close(): Promise<void>;
}

const readyLimitMs = 90_000;

/** Starts etcd and an API server with RBAC on free ports of 127.0.0.1, and resolves when the API server is ready. */
export async function startKubeProcess(binaries: KubeBinaries): Promise<KubeProcess> {
  const directory = await mkdtemp(join(tmpdir(), "signet-kube-"));
  const [etcdPort = 0, etcdPeerPort = 0, port = 0] = await freePorts(3);
  const authority = await createServerAuthority("signet kube tests");
  const adminToken = randomBytes(24).toString("hex");
  const url = `https://127.0.0.1:${port}`;
  const caPem = authority.certificatePem;
  const admin: HttpsServer = { url, caPem };
  await writeFiles(directory, { authority, adminToken });

  const etcd = await startEtcd(binaries.etcd, { directory, port: etcdPort, peerPort: etcdPeerPort });
  const flags = apiserverFlags({ directory, port, url, etcdPort });
  let apiserver: ServerProcess | undefined;
  async function start(): Promise<void> {
    if (apiserver?.running()) return;
    const started = await startServerProcess({
      command: [binaries.kubeApiserver, ...flags],
      env: {},
      logFile: join(directory, "kube-apiserver.log"),
      directory,
    });
    apiserver = started;
    await poll(() => ready(admin, adminToken, started), { what: "the API server", limitMs: readyLimitMs });
  }
  async function close(): Promise<void> {
    // Nothing of it is wanted any more, so neither has time to say goodbye.
    await apiserver?.kill();
    await etcd.kill();
    await rm(directory, { recursive: true, force: true });
  }
  await start().catch(async (error: unknown) => {
    const log = apiserver?.logTail();
    await close();
    throw new Error(`the API server did not start: ${error}\n${log}`);
  });
  return {
    ...{ url, caPem, adminToken, directory, clientAuthority: authority, start, close },
    pause: () => apiserver?.pause(),
    resume: () => apiserver?.resume(),
    kill: async () => apiserver?.kill(),
    stop: async () => apiserver?.stop(),
  };
}

async function ready(server: HttpsServer, token: string, started: ServerProcess): Promise<true | undefined> {
  if (!started.running()) return true;
  const headers = { authorization: `Bearer ${token}` };
  const answer = await httpsJson(server, { method: "GET", path: "/readyz", headers, timeoutMs: 5_000 });
  return answer.status === 200 ? true : undefined;
}

async function writeFiles(
  directory: string,
  { authority, adminToken }: { readonly authority: ServerAuthority; readonly adminToken: string },
): Promise<void> {
  const write = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 });
  const serving = await authority.issue([
    { kind: "ip", value: "127.0.0.1" },
    { kind: "dns", value: "localhost" },
  ]);
  const account = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await write("ca.pem", authority.certificatePem);
  await write("serving.pem", serving.certificatePem);
  await write("serving-key.pem", serving.privateKeyPem);
  await write("account-key.pem", account.privateKey.export({ format: "pem", type: "pkcs1" }).toString());
  await write("account.pem", account.publicKey.export({ format: "pem", type: "spki" }).toString());
  await write("tokens.csv", `${adminToken},admin,admin,"system:masters"\n`);
}

async function startEtcd(
  binary: string,
  { directory, port, peerPort }: { readonly directory: string; readonly port: number; readonly peerPort: number },
): Promise<ServerProcess> {
  const client = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return await startServerProcess({
    command: [
      ...([binary, `--data-dir=${join(directory, "etcd")}`, "--name=default"] as const),
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`],
      // No power cut to survive, and a slow disk would make elections of writes.
      ...["--unsafe-no-fsync", "--log-level=warn"],
    ],
    env: {},
    logFile: join(directory, "etcd.log"),
    directory,
  });
}

type ApiserverPlace = {
  readonly directory: string;
  readonly port: number;
  readonly url: string;
  readonly etcdPort: number;
};

function apiserverFlags({ directory, port, url, etcdPort }: ApiserverPlace): readonly string[] {
  const file = (name: string): string => join(directory, name);
  return [
    ...[`--etcd-servers=http://127.0.0.1:${etcdPort}`, "--bind-address=127.0.0.1", `--secure-port=${port}`],
    ...["--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24"],
    ...[`--tls-cert-file=${file("serving.pem")}`, `--tls-private-key-file=${file("serving-key.pem")}`],
    ...[`--client-ca-file=${file("ca.pem")}`, `--token-auth-file=${file("tokens.csv")}`, "--authorization-mode=RBAC"],
    ...[`--service-account-issuer=${url}`, `--service-account-jwks-uri=${url}/openid/v1/jwks`],
    `--service-account-signing-key-file=${file("account-key.pem")}`,
    `--service-account-key-file=${file("account.pem")}`,
    // There is no controller manager that would make the tokens this plugin waits for.
    "--disable-admission-plugins=ServiceAccount",
    "--profiling=false",
  ];
}
