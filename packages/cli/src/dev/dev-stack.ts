import { randomBytes } from "node:crypto";
import { access } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type CaServer, type CaServerSettings, parseCaServerSettings, startCaServer } from "@signet/ca-server";
import {
  acquireFileLock,
  errorCode,
  firstValue,
  type Logger,
  runGroup,
  systemClock,
  type Task,
  writeFileAtomic,
} from "@signet/runtime";
import { version } from "../version.ts";
import { type DevFiles, openDevFiles, writeEnvoyBootstrap } from "./dev-files.ts";
import { type DevPorts, type DevSettings, devPorts } from "./dev-settings.ts";
import { createTokenFilesTask, type MintToken, writeTokenFiles } from "./dev-workloads.ts";
import { startTokenIssuer, type TokenIssuer } from "./token-issuer.ts";
import { readIssuerUrl } from "./token-issuer-files.ts";
import { createTrustBundleFileTask } from "./trust-bundle-file.ts";

/** A running `signet dev`. */
export type DevStack = {
  readonly addresses: CaServer["addresses"];
  readonly issuer: string;
  readonly trustDomain: string;
  readonly files: DevFiles;
  readonly envoyPort: number;
  /** Resolves after `stop`; rejects when a part of it failed. */
  readonly ended: Promise<void>;
  /** Stops everything, in order. Never rejects. */
  stop(): Promise<void>;
};

/** What came of starting; `problems` are those of the CA server's settings. */
export type DevStart =
  | { readonly kind: "started"; readonly stack: DevStack }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

type DevDependencies = { readonly env: NodeJS.ProcessEnv; readonly logger: Logger };
type Closing = () => Promise<void>;

const loopback = "127.0.0.1";

/** Starts the token issuer, then the CA server that believes it, then writes what an agent needs to files. */
export async function startDevStack(
  settings: DevSettings,
  dependencies: DevDependencies,
  signal: AbortSignal,
): Promise<DevStart> {
  const closings: Closing[] = [];
  const close = async (): Promise<void> => {
    for (const closing of closings.toReversed()) await closing();
    closings.length = 0;
  };
  try {
    const opened = await open(settings, { ...dependencies, closings }, signal);
    if (opened.kind === "opened") return { kind: "started", stack: { ...opened.stack, stop: close } };
    await close();
    return opened;
  } catch (error) {
    await close();
    throw error;
  }
}

type Opened = { readonly kind: "opened"; readonly stack: Omit<DevStack, "stop"> };
type Invalid = Extract<DevStart, { readonly kind: "invalid" }>;

async function open(
  settings: DevSettings,
  { env, logger, closings }: DevDependencies & { readonly closings: Closing[] },
  signal: AbortSignal,
): Promise<Opened | Invalid> {
  const ports = devPorts(settings);
  const files = await openDevFiles(settings.stateDirectory);
  // Before anything is written: a second `signet dev` must not touch what the first one lives from.
  const lock = await acquireFileLock(join(files.stateDirectory, "lock"));
  closings.push(() => lock.release());
  const issuer = await startIssuer(files.stateDirectory, ports.issuer, logger);
  closings.push(() => issuer.close());
  const parsed = parseCaServerSettings({ env: caEnvironment(env, { files, ports, issuer: issuer.issuer }), args: [] });
  if (parsed.kind !== "settings")
    return { kind: "invalid", problems: parsed.kind === "invalid" ? parsed.problems : [] };
  const server = await startServer(parsed.settings, logger);
  closings.push(() => server.stop());

  const { trustDomain, issuers } = parsed.settings;
  const { audiences = [] } = issuers.find((trusted) => trusted.issuer === issuer.issuer) ?? {};
  const mint: MintToken = (workload, ttlMs) => issuer.issueToken({ ...workload, audiences, ttlMs });
  const envoyPort = ports.envoy === 0 ? await freePort() : ports.envoy;
  // A CA that signs elsewhere may be away. Agents go on with the roots of the last time, and need some to begin with.
  if (server.trustBundle.current() !== undefined || !(await isThere(files.rootCertificate)))
    await writeFileAtomic(files.rootCertificate, (await firstValue(server.trustBundle, signal)).pem, { mode: 0o644 });
  await writeTokenFiles(files.stateDirectory, mint);
  await writeEnvoyBootstrap(files, { trustDomain, port: envoyPort });

  const stop = new AbortController();
  closings.push(async () => stop.abort());
  const tasks = [
    issuer.task,
    createTokenFilesTask(files.stateDirectory, mint, { clock: systemClock, logger }),
    createTrustBundleFileTask(files.rootCertificate, server.trustBundle, logger),
    { name: "ca server", run: () => server.ended },
  ];
  const ended = runUntilAborted(tasks, AbortSignal.any([signal, stop.signal]));
  const { addresses } = server;
  return { kind: "opened", stack: { addresses, issuer: issuer.issuer, trustDomain, files, envoyPort, ended } };
}

/** The CA server ends only when it is stopped, after the abort; so the abort alone is an end here. */
function runUntilAborted(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
  const ended = Promise.race([runGroup(tasks, signal), aborted(signal)]);
  // Whoever runs the stack awaits it later; until then a failure must not count as unhandled.
  ended.catch(() => undefined);
  return ended;
}

/** Port 0 takes the port of the last time if it is free: tokens of the issuer that had it stay good. */
async function startIssuer(stateDirectory: string, port: number, logger: Logger): Promise<TokenIssuer> {
  const start = (wanted: number): Promise<TokenIssuer> =>
    startTokenIssuer({ stateDirectory, host: loopback, port: wanted }, { clock: systemClock, logger });
  const last = port === 0 ? await readIssuerUrl(stateDirectory).catch(() => undefined) : undefined;
  if (last === undefined) return await start(port);
  try {
    return await start(Number(new URL(last).port));
  } catch (error) {
    if (errorCode(error) !== "listen-failed") throw error;
    return await start(0);
  }
}

async function startServer(settings: CaServerSettings, logger: Logger): Promise<CaServer> {
  const dependencies = { clock: systemClock, random: Math.random, randomBytes, logger, version };
  return await startCaServer(settings, dependencies);
}

/** The CA server's environment: the user's own, with what makes it a development server. */
function caEnvironment(
  env: NodeJS.ProcessEnv,
  dev: { readonly files: DevFiles; readonly ports: DevPorts; readonly issuer: string },
): NodeJS.ProcessEnv {
  const { files, ports, issuer } = dev;
  return {
    ...env,
    // On a laptop there is no cluster to serve, also where the laptop is a pod.
    ...{ KUBERNETES_SERVICE_HOST: "", SIGNET_KUBECONFIG: "", EXTERNAL_CA: "" },
    SIGNET_STATE_DIR: files.caDirectory,
    SIGNET_CA_LISTEN: `${loopback}:${ports.ca}`,
    SIGNET_MONITORING_LISTEN: `${loopback}:${ports.monitoring}`,
    SIGNET_HTTP_LISTEN: `${loopback}:${ports.ready}`,
    SIGNET_SERVING_NAMES: ["localhost", loopback, ...(env.SIGNET_SERVING_NAMES?.split(",") ?? [])].join(","),
    TOKEN_ISSUER: issuer,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(0, loopback, resolve);
  await promise;
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
