import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { poll } from "@signet/cli/testing";
import { resources } from "@signet/kubernetes";
import type { CaCluster } from "../real/ca-kubernetes-cluster.ts";
import type { KubeServer } from "../real/support/kube-server.ts";

/** Where a CA server that uses a cluster keeps its files, and what it does there. */
export type KubeCaSite = {
  readonly cluster: CaCluster;
  /** A directory of the test; each server gets one below it. */
  readonly directory: string;
  /** The namespace that roots are published to. */
  readonly namespace: string;
  /** Other than that of the cluster: one that goes through a proxy. */
  readonly kubeconfig?: string;
};

/** Settings of a CA server with the rights of one, on free ports of this machine. */
export async function kubeCaEnv(site: KubeCaSite): Promise<Record<string, string>> {
  const { cluster, namespace } = site;
  const directory = join(site.directory, randomUUID());
  await mkdir(directory);
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, site.kubeconfig ?? cluster.caServerKubeconfig, { mode: 0o600 });
  return {
    SIGNET_CA_LISTEN: "127.0.0.1:0",
    SIGNET_MONITORING_LISTEN: "127.0.0.1:0",
    SIGNET_HTTP_LISTEN: "127.0.0.1:0",
    SIGNET_SERVING_NAMES: "localhost,127.0.0.1",
    SIGNET_SELF_SIGNED_CA_KEY: "p256",
    SIGNET_STATE_DIR: join(directory, "state"),
    ROOT_CA_DIR: join(directory, "cacerts"),
    SIGNET_MESH_CONFIG: "",
    SIGNET_KUBECONFIG: kubeconfig,
    POD_NAMESPACE: cluster.namespace,
    PILOT_CA_CERT_CONFIGMAP: cluster.rootConfigMap,
    PILOT_CRL_CONFIGMAP: cluster.crlConfigMap,
    ISTIO_WATCH_NAMESPACE: namespace,
  };
}

/** A kubeconfig that goes to another port of this machine instead. */
export function throughPort(kubeconfig: string, { url }: Pick<KubeServer, "url">, port: number): string {
  return kubeconfig.replace(url, `https://${new URL(url).hostname}:${port}`);
}

/** The root in the Secret of the self-signed CA, once it is there. */
export async function readSelfSignedRoot({ admin, namespace }: CaCluster): Promise<string> {
  const look = async (): Promise<string | undefined> => {
    const name = { namespace, name: "istio-ca-secret" };
    const secret = await admin.read(resources.secrets, name, AbortSignal.timeout(10_000));
    const data = secret?.data?.["ca-cert.pem"];
    return data === undefined ? undefined : Buffer.from(data, "base64").toString("utf8");
  };
  return await poll(look, { what: "the root in the Secret", limitMs: 30_000 });
}
