import { join } from "node:path";
import { buildGoProgram, type GoProgram, type GoProgramSearch, programPath } from "./counterparts/build-go-program.ts";

/** The Kubernetes version that the tests run against. */
export const kubernetesVersion = "1.36.3";
/** The version of etcd below it. */
export const etcdVersion = "3.7.3";

/**
 * Returns kube-apiserver, built from source on first use and kept in the cache that clones share, or why there is none.
 *
 * `TEST_ASSET_KUBE_APISERVER` names another one.
 */
export async function ensureKubeApiserver(signal: AbortSignal): Promise<GoProgramSearch> {
  return await buildGoProgram(kubeApiserver, { env: process.env, progress: toStderr }, signal);
}

/** As `ensureKubeApiserver`, for the etcd that it stores into; `TEST_ASSET_ETCD` names another one. */
export async function ensureEtcd(signal: AbortSignal): Promise<GoProgramSearch> {
  return await buildGoProgram(etcd, { env: process.env, progress: toStderr }, signal);
}

const kubeApiserver: GoProgram = {
  name: "kube-apiserver",
  title: `the Kubernetes API server ${kubernetesVersion}`,
  version: kubernetesVersion,
  directory: join(import.meta.dirname, "counterparts/kubernetes"),
  mainPackage: "k8s.io/kubernetes/cmd/kube-apiserver",
  // Clients cannot parse the version that a plain build reports.
  ldflags: `-s -w -X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`,
  duration: "about 5 minutes",
  override: "TEST_ASSET_KUBE_APISERVER",
};

const etcd: GoProgram = {
  name: "etcd",
  title: `etcd ${etcdVersion}`,
  version: etcdVersion,
  directory: join(import.meta.dirname, "counterparts/etcd"),
  mainPackage: "go.etcd.io/etcd/server/v3",
  ldflags: "-s -w",
  duration: "about half a minute",
  override: "TEST_ASSET_ETCD",
};

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (import.meta.main) {
  const signal = AbortSignal.timeout(3_600_000);
  const options = { env: process.env, progress: toStderr };
  // One after the other: two builds at once take longer.
  const paths = [
    programPath(await ensureEtcd(signal), options),
    programPath(await ensureKubeApiserver(signal), options),
  ];
  process.stdout.write(paths.map((path) => (path === undefined ? "" : `${path}\n`)).join(""));
  process.exitCode = paths.includes(undefined) ? 1 : 0;
}
