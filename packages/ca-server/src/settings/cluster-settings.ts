import { type Setting, setting } from "@signet/runtime";

/** The clusters whose service accounts are known. */
export type ClusterSettingValues = {
  readonly kubeconfig: string;
  readonly kubernetesServiceHost: string;
  readonly clusterId: string;
  readonly clusterAliases: readonly string[];
  readonly publishRoots: boolean;
};

/** The way to the Kubernetes API, and the names of clusters. */
export const clusterSettings: { readonly [Name in keyof ClusterSettingValues]: Setting<ClusterSettingValues[Name]> } = {
  kubeconfig: setting.text({
    env: "SIGNET_KUBECONFIG",
    flag: "kubeconfig",
    default: "",
    description: "kubeconfig file of the cluster to serve; unless set, the cluster that this process runs in, if any",
  }),
  // Kubernetes sets it in every container.
  kubernetesServiceHost: setting.text({
    env: "KUBERNETES_SERVICE_HOST",
    default: "",
    description: "set by Kubernetes; says that this process runs in a cluster",
  }),
  clusterId: setting.text({
    env: "CLUSTER_ID",
    flag: "cluster-id",
    default: "Kubernetes",
    description: "name of the cluster to serve",
  }),
  clusterAliases: setting.list({
    env: "CLUSTER_ALIASES",
    flag: "clusterAliases",
    default: [],
    description: "other names of clusters, each as <alias>=<cluster>",
  }),
  publishRoots: setting.bool({
    env: "SIGNET_PUBLISH_ROOTS",
    flag: "publish-roots",
    default: true,
    description:
      "keeps the trust bundle in a ConfigMap of every namespace; false while an istiod that is still there does",
  }),
};
