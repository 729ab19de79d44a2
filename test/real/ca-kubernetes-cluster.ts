import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connectCluster, type KubernetesApi } from "@signet/kubernetes";
import { systemClock } from "@signet/runtime";
import { parseAllDocuments } from "yaml";
import { kubeObjects } from "./support/kube-objects.ts";
import type { KubeServer } from "./support/kube-server.ts";

/** A namespace of its own on the real API server, and two ways in: as administrator, and with the rights of a CA server. */
export type CaCluster = {
  readonly namespace: string;
  /** Of the published ConfigMaps, so that nobody else's are touched. */
  readonly rootConfigMap: string;
  readonly crlConfigMap: string;
  /** Everything before the slash of the signers that the CA server may have sign. */
  readonly signerDomain: string;
  readonly admin: KubernetesApi;
  /** As the service account of `deploy/kubernetes/ca-server-rbac.yaml`, with what that file grants and nothing else. */
  readonly caServer: KubernetesApi;
  /** A kubeconfig of that service account, as text. */
  readonly caServerKubeconfig: string;
  /** One more connection like `caServer`. */
  connectAsCaServer(): Promise<KubernetesApi>;
  /** A further namespace, labelled like the first so that publishers of this test choose it. */
  createNamespace(): Promise<string>;
};

/** The label that tells the namespaces of one test run from those of others. */
export const runLabel = "signet-test-run";

const manifestPath = new URL("../../deploy/kubernetes/ca-server-rbac.yaml", import.meta.url);

/** Applies the manifest under names of its own and connects as its service account. */
export async function prepareCaCluster(server: KubeServer): Promise<CaCluster> {
  const run = randomBytes(4).toString("hex");
  const objects = kubeObjects(server);
  const labels = { [runLabel]: run };
  const namespace = await objects.createNamespace("signet-ca", labels);
  const names = {
    "istio-system": namespace,
    "istio-ca-root-cert": `root-${run}`,
    "istio-ca-crl": `crl-${run}`,
    "example.com/*": `t${run}.example.com/*`,
  };
  for (const object of readManifest(names, run)) await create(server, object);
  const account = { namespace, serviceAccount: `signet-ca-${run}` };
  const token = await objects.requestToken({ ...account, audiences: [server.issuer], expirationSeconds: 3_600 });
  const text = server.kubeconfigFor(token);
  const connectAsCaServer = (): Promise<KubernetesApi> =>
    connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock });
  return {
    namespace,
    rootConfigMap: names["istio-ca-root-cert"],
    crlConfigMap: names["istio-ca-crl"],
    signerDomain: `t${run}.example.com`,
    admin: await connectCluster({ kind: "kubeconfig-file", path: server.kubeconfigPath }, { clock: systemClock }),
    caServer: await connectAsCaServer(),
    caServerKubeconfig: text,
    connectAsCaServer,
    createNamespace: () => objects.createNamespace("signet-ca", labels),
  };
}

type ManifestObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

/** The manifest, with these names in the place of those that it has, and what it makes named after the run. */
function readManifest(names: Readonly<Record<string, string>>, run: string): readonly ManifestObject[] {
  let text = readFileSync(manifestPath, "utf8").replaceAll(/(name: signet-ca[a-z-]*)$/gm, `$1-${run}`);
  for (const [ours, theirs] of Object.entries(names)) {
    if (!text.includes(ours)) throw new Error(`the manifest does not speak of ${ours}`);
    text = text.replaceAll(ours, theirs);
  }
  return parseAllDocuments(text).map((document) => document.toJS()) as readonly ManifestObject[];
}

const plurals: Readonly<Record<string, string>> = {
  ServiceAccount: "serviceaccounts",
  Role: "roles",
  RoleBinding: "rolebindings",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
};

async function create(server: KubeServer, object: ManifestObject): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const plural = plurals[kind];
  if (plural === undefined) throw new Error(`the manifest has a ${kind}, which this test does not know`);
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = metadata.namespace === undefined ? group : `${group}/namespaces/${metadata.namespace}`;
  const path = `${place}/${plural}`;
  const answer = await server.request({ method: "POST", path, body: object });
  if (answer.status !== 201)
    throw new Error(`${kind} ${metadata.name}: ${answer.status} ${String(answer.at("message"))}`);
  server.afterUse({ method: "DELETE", path: `${path}/${metadata.name}` });
}
