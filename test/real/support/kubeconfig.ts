/** A kubeconfig with one cluster, for whoever has `token`; it is JSON, which every reader of YAML reads. */
export function kubeconfigOf(cluster: {
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
}): string {
  const { url, caPem, token } = cluster;
  const data = Buffer.from(caPem).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": data } }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}
