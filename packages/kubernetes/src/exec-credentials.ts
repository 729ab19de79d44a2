import { execFile } from "node:child_process";
import type { Clock } from "@signet/runtime";
import { type ClusterCredentials, type CredentialSource, checkToken } from "./credentials.ts";
import { KubernetesError } from "./errors.ts";
import { isRecord } from "./shape.ts";

/** A program that prints credentials (client.authentication.k8s.io ExecCredential). */
export type ExecCommand = {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

const longestRunMs = 30_000;
const maxOutputBytes = 1024 * 1024;
const runAgainAfterMs = 10_000;
const earlyMs = 60_000;

/**
 * The credentials of `base` with what the program prints. It is run when it is first needed, again a minute before what it said
 * expires, and after a refusal; not more than once in 10 seconds.
 */
export function createExecCredentialSource(exec: ExecCommand, base: CredentialSource, clock: Clock): CredentialSource {
  let latest: Run | undefined;
  let running: Promise<Run> | undefined;

  async function run(signal: AbortSignal): Promise<Run> {
    running ??= runProgram(exec, clock).finally(() => {
      running = undefined;
    });
    // Whoever waits may give up; the program goes on for the others.
    latest = await untilAborted(running, signal);
    return latest;
  }

  async function merged(ran: Run, signal: AbortSignal): Promise<ClusterCredentials> {
    const given = await base.current(signal);
    if (ran.merged?.from !== given) ran.merged = { from: given, credentials: { ...given, ...ran.printed } };
    return ran.merged.credentials;
  }

  return {
    async current(signal) {
      const now = clock.now().getTime();
      const due =
        latest === undefined || (now >= latest.expiresAtMs - earlyMs && now - latest.ranAtMs >= runAgainAfterMs);
      return merged(due || latest === undefined ? await run(signal) : latest, signal);
    },
    async renewed(refused, signal) {
      if (latest !== undefined && clock.now().getTime() - latest.ranAtMs < runAgainAfterMs) {
        const now = await merged(latest, signal);
        return now === refused ? undefined : now;
      }
      return merged(await run(signal), signal);
    },
  };
}

type Run = {
  readonly printed: ClusterCredentials;
  readonly ranAtMs: number;
  readonly expiresAtMs: number;
  merged?: { readonly from: ClusterCredentials; readonly credentials: ClusterCredentials };
};

async function runProgram(exec: ExecCommand, clock: Clock): Promise<Run> {
  const output = await outputOf(exec);
  const ranAtMs = clock.now().getTime();
  try {
    return { ...parseExecCredential(JSON.parse(output), exec.apiVersion), ranAtMs };
  } catch (error) {
    if (error instanceof KubernetesError) throw error;
    throw new KubernetesError("config-invalid", "the program of the kubeconfig printed no ExecCredential");
  }
}

function outputOf({ apiVersion, command, args, environment }: ExecCommand): Promise<string> {
  const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false } });
  const env = { ...process.env, ...environment, KUBERNETES_EXEC_INFO: info };
  const options = { env, timeout: longestRunMs, killSignal: "SIGKILL", maxBuffer: maxOutputBytes } as const;
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout) => {
      // Neither what it printed nor its arguments: both may hold secrets.
      if (error === null) resolve(stdout);
      else
        reject(
          new KubernetesError("config-invalid", `the program of the kubeconfig failed: ${error.code ?? error.signal}`),
        );
    });
  });
}

function parseExecCredential(value: unknown, apiVersion: string): Pick<Run, "printed" | "expiresAtMs"> {
  const status = isRecord(value) && value.apiVersion === apiVersion ? value.status : undefined;
  if (!isRecord(status)) throw new KubernetesError("config-invalid", "the program of the kubeconfig printed no status");
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status;
  const expiresAtMs = typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : Infinity;
  const hasPair = typeof clientCertificateData === "string" && typeof clientKeyData === "string";
  if ((typeof token !== "string" && !hasPair) || Number.isNaN(expiresAtMs)) {
    throw new KubernetesError("config-invalid", "the program of the kubeconfig printed no credential that can be used");
  }
  return {
    printed: {
      ...(typeof token === "string" ? { token: checkToken(token) } : {}),
      ...(hasPair ? { certificatePem: clientCertificateData, keyPem: clientKeyData } : {}),
    },
    expiresAtMs,
  };
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
