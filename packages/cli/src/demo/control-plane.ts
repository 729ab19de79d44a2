import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Child, childEnvironment, startChild, whenReady } from "./child.ts";
import { demoNamespace, demoTrustDomain, type WorkloadName } from "./demo-workload.ts";
import { poll } from "./poll.ts";

const launcher = fileURLToPath(new URL("../../bin/signet.js", import.meta.url));

/** Where the parts of one mesh keep their files, and whom they tell when one of them ends by itself. */
export type MeshSite = {
  /** An absolute path, short enough for the sockets in it. */
  readonly directory: string;
  readonly onUnexpectedEnd: (error: Error) => void;
};

/** What `signet dev --json` prints. */
export type DevAddresses = {
  readonly caAddress: string;
  readonly readyAddress: string;
  readonly monitoringAddress: string;
  readonly rootCertificate: string;
  readonly issuer: string;
  readonly stateDirectory: string;
};

/** The CA server with its token issuer. */
export type ControlPlane = { readonly child: Child; readonly addresses: DevAddresses };

/** How a control plane of the demo is started. */
export type ControlPlaneOptions = {
  /** Its ports are taken again, so that those who knew the old process find the new one. */
  readonly previous?: DevAddresses;
  /** What makes the CA server sign with another CA than one of its own. */
  readonly caEnvironment?: Readonly<Record<string, string>>;
  /** "ready", by default: once it can sign. "listening": also where what signs is away. */
  readonly until?: "ready" | "listening";
};

/** Starts `signet dev` and resolves once it can sign. */
export async function startControlPlane(
  site: MeshSite,
  { previous, caEnvironment, until = "ready" }: ControlPlaneOptions,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const ports = previous === undefined ? [] : portFlags(previous);
  const child = startSignet(site, "control plane", {
    args: ["dev", "--json", "--state-dir", join(site.directory, "state"), ...ports],
    env: { SIGNET_TRUST_DOMAIN: demoTrustDomain, ...caEnvironment },
  });
  return await whenReady(child, async () => {
    const addresses = parseDevAddresses(await orAborted(child.firstLine, signal));
    const isReady = async (): Promise<true | undefined> => (await canSign(addresses, signal)) || undefined;
    if (until === "ready") await poll(isReady, { what: "the CA server", limitMs: 30_000 }, signal);
    return { child, addresses };
  });
}

/** What the CA server says of itself: whether it can sign now. */
export async function canSign({ readyAddress }: DevAddresses, signal: AbortSignal): Promise<boolean> {
  return (await fetch(`http://${readyAddress}/ready`, { signal })).ok;
}

/** Has the issuer make a token for a workload and returns the path of the file it is in. */
export async function writeToken(site: MeshSite, workload: WorkloadName, signal: AbortSignal): Promise<string> {
  const args = ["token", "--namespace", demoNamespace, "--service-account", workload, "--ttl", "24h"];
  const env = childEnvironment({ SIGNET_STATE_DIR: join(site.directory, "state") });
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, ...args], { env, signal });
  const path = join(site.directory, `${workload}.token`);
  await writeFile(path, stdout, { mode: 0o600 });
  return path;
}

/** An agent, and the socket it serves SDS on. */
export type Agent = { readonly child: Child; readonly socketPath: string };

/** How an agent of the demo is started; a lifetime in Go's notation. */
export type AgentOptions = {
  readonly workload: WorkloadName;
  readonly tokenFile: string;
  readonly addresses: DevAddresses;
  readonly lifetime: string;
};

/** Starts `signet agent` for one workload. It has a certificate once its socket answers. */
export function startAgent(site: MeshSite, options: AgentOptions): Agent {
  const socketPath = join(site.directory, `${options.workload}.sock`);
  const child = startSignet(site, `agent of ${options.workload}`, {
    args: ["agent"],
    env: {
      CA_ADDR: options.addresses.caAddress,
      CA_ROOT_CA: options.addresses.rootCertificate,
      TRUST_DOMAIN: demoTrustDomain,
      POD_NAMESPACE: demoNamespace,
      SERVICE_ACCOUNT: options.workload,
      SECRET_TTL: options.lifetime,
      SIGNET_TOKEN_FILE: options.tokenFile,
      SIGNET_SDS_SOCKET: socketPath,
      SIGNET_STATUS_LISTEN: "127.0.0.1:0",
    },
  });
  return { child, socketPath };
}

/** What `signet` is started with. */
export type SignetCommand = { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };

/** Starts a `signet` of the mesh beside the demo. */
export function startSignet(site: MeshSite, name: string, { args, env }: SignetCommand): Child {
  return startChild({
    name,
    command: [process.execPath, launcher, ...args],
    env: childEnvironment(env),
    logDirectory: site.directory,
    onUnexpectedEnd: site.onUnexpectedEnd,
  });
}

function portFlags(previous: DevAddresses): readonly string[] {
  return [
    ...["--ca-port", portOf(previous.caAddress)],
    ...["--ready-port", portOf(previous.readyAddress)],
    ...["--monitoring-port", portOf(previous.monitoringAddress)],
    ...["--issuer-port", new URL(previous.issuer).port],
  ];
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

function parseDevAddresses(line: string): DevAddresses {
  const json = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const value = json[name];
    if (typeof value !== "string") {
      throw new Error(`signet dev --json printed no ${name}: ${line}`);
    }
    return value;
  };
  return {
    caAddress: text("caAddress"),
    readyAddress: text("readyAddress"),
    monitoringAddress: text("monitoringAddress"),
    rootCertificate: text("rootCertificate"),
    issuer: text("issuer"),
    stateDirectory: text("stateDirectory"),
  };
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([promise, aborted]);
}
