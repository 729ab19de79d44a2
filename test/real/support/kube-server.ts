import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type HttpsAnswer, type HttpsCall, httpsJson } from "@signet/cli/testing";
import { ensureEtcd, ensureKubeApiserver } from "../../../tools/ensure-kube-apiserver.ts";
import { findProgram } from "./find-program.ts";
import { connectExistingKube } from "./kube-existing.ts";
import { type KubeBinaries, type KubeProcess, startKubeProcess } from "./kube-process.ts";
import { kubeconfigOf } from "./kubeconfig.ts";

/** The API server that the tests run against. */
export interface KubeServer {
  readonly url: string;
  readonly caPem: string;
  /** The issuer of its service account tokens. */
  readonly issuer: string;
  /** "v1.36.3" */
  readonly version: string;
  /** The administrator's; a file of mode 0600 and its text. */
  readonly kubeconfigPath: string;
  readonly kubeconfigText: string;
  /** One request as the administrator; `path` begins with /api or /apis. Answers of every status are returned. */
  request(call: HttpsCall): Promise<HttpsAnswer>;
  /** A kubeconfig for whoever has `token`. */
  kubeconfigFor(token: string): string;
  /** What only a server of our own can be made to do; absent with KUBECONFIG. */
  readonly own?: Pick<KubeProcess, "adminToken" | "clientAuthority" | "pause" | "resume" | "kill" | "stop" | "start">;
  /** Sends these requests, the last first, when the server of somebody else is closed; one of our own is thrown away whole. */
  afterUse(call: HttpsCall): void;
  close(): Promise<void>;
}

/** Whether there is an API server to test against; the reasons are empty where there is, and else the rest of a suite's title. */
export type TestKube = {
  readonly skipped: string;
  /** Why tests that stop or restart the server are skipped. */
  readonly skippedOwn: string;
  /** Throws where `skipped` is not empty. */
  start(): Promise<KubeServer>;
};

/**
 * Finds, or builds, the API server for a suite: `describe.skipIf(kube.skipped)(`name ${kube.skipped}`, ...)`.
 *
 * With KUBECONFIG it is the server of the current context there.
 */
export async function findTestKube(env: NodeJS.ProcessEnv = process.env): Promise<TestKube> {
  const kubeconfig = env.KUBECONFIG;
  if (kubeconfig) {
    const skippedOwn = "skipped, the server of KUBECONFIG is not ours to stop";
    return { skipped: "", skippedOwn, start: () => connectExistingKube(kubeconfig) };
  }
  const signal = AbortSignal.timeout(3_600_000);
  const etcd = await findProgram(() => ensureEtcd(signal));
  const kubeApiserver = await findProgram(() => ensureKubeApiserver(signal));
  const skipped = etcd.skipped || kubeApiserver.skipped;
  return {
    skipped,
    skippedOwn: skipped,
    async start() {
      if (skipped) throw new Error(skipped);
      return await startKubeApiserver({ etcd: etcd.path, kubeApiserver: kubeApiserver.path });
    },
  };
}

/** Starts an API server of our own with an empty etcd; takes about 4 seconds. */
export async function startKubeApiserver(binaries: KubeBinaries): Promise<KubeServer> {
  const process = await startKubeProcess(binaries);
  const { url, caPem, adminToken } = process;
  const kubeconfigFor = (token: string): string => kubeconfigOf({ url, caPem, token });
  const kubeconfigText = kubeconfigFor(adminToken);
  const kubeconfigPath = join(process.directory, "kubeconfig");
  await writeFile(kubeconfigPath, kubeconfigText, { mode: 0o600 });
  const request = (call: HttpsCall): Promise<HttpsAnswer> =>
    httpsJson({ url, caPem }, { ...call, headers: { authorization: `Bearer ${adminToken}`, ...call.headers } });
  const version = (await request({ method: "GET", path: "/version" })).textAt("gitVersion");
  const { close, ...own } = process;
  return {
    url,
    caPem,
    issuer: url,
    version,
    kubeconfigPath,
    kubeconfigText,
    request,
    kubeconfigFor,
    own,
    afterUse: () => {},
    close,
  };
}
