import { isServiceAccount } from "../authenticators/service-account-id.ts";
import { type CidrList, parseCidrList } from "../cidr-list.ts";
import type { CallerSettingValues } from "./caller-settings.ts";
import type { ClusterSettingValues } from "./cluster-settings.ts";

/** The clusters whose service accounts are known, and how. */
export type KubernetesSettings = {
  readonly source: { readonly kind: "in-cluster" } | { readonly kind: "kubeconfig-file"; readonly path: string };
  readonly clusterId: string;
  /** Other names of clusters, and the clusters they mean. */
  readonly clusterAliases: ReadonlyMap<string, string>;
  readonly verification: "review" | "local";
  readonly reviewCacheTtlMs: number;
  readonly audiences: readonly string[];
  /** Whether the trust bundle is kept in a ConfigMap of every namespace. */
  readonly publishRoots: boolean;
};

/** Returns the way to the Kubernetes API, undefined where there is none, and a sentence for every problem with it. */
export function readKubernetesSettings(values: ClusterSettingValues & CallerSettingValues): {
  readonly kubernetes: KubernetesSettings | undefined;
  readonly problems: readonly string[];
} {
  const { kubeconfig, kubernetesServiceHost, clusterId, reviewCacheTtlMs, publishRoots } = values;
  const { clusterAliases, problems } = readAliases(values);
  const inNoCluster = kubeconfig === "" && kubernetesServiceHost === "";
  if (inNoCluster) return { kubernetes: undefined, problems: [...problems, ...needlessProblems(values)] };
  const source = kubeconfig === "" ? inCluster : ({ kind: "kubeconfig-file", path: kubeconfig } as const);
  const audiences = values.tokenAudiences;
  const verification = values.tokenVerification;
  const policy = { verification, reviewCacheTtlMs, audiences };
  return { kubernetes: { source, clusterId, clusterAliases, publishRoots, ...policy }, problems };
}

const inCluster = { kind: "in-cluster" } as const;

/** What would quietly have no effect without a cluster. */
function needlessProblems({ tokenVerification, trustedNodeAccounts }: CallerSettingValues): readonly string[] {
  const way = "needs a cluster to run in, or SIGNET_KUBECONFIG";
  return [
    ...(tokenVerification === "local" ? [`SIGNET_KUBERNETES_TOKEN_VERIFICATION local ${way}`] : []),
    ...(trustedNodeAccounts.length > 0 ? [`CA_TRUSTED_NODE_ACCOUNTS ${way}`] : []),
  ];
}

function readAliases({ clusterId, clusterAliases }: ClusterSettingValues): {
  readonly clusterAliases: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
} {
  const aliases = new Map<string, string>();
  const problems: string[] = [];
  if (clusterId === "") problems.push("CLUSTER_ID is empty");
  for (const entry of clusterAliases) {
    const [alias = "", cluster = "", ...rest] = entry.split("=").map((part) => part.trim());
    const of = `CLUSTER_ALIASES ${JSON.stringify(entry)}`;
    if (alias === "" || cluster === "" || rest.length > 0) problems.push(`${of} is not <alias>=<cluster>`);
    else if (alias === clusterId) problems.push(`${of} gives the name of our own cluster to another`);
    else if (aliases.has(alias)) problems.push(`${of} is the second meaning of one alias`);
    else aliases.set(alias, cluster);
  }
  return { clusterAliases: aliases, problems };
}

/** Returns the networks of gateways whose word about their clients counts, and a sentence for each entry that is none. */
export function readTrustedGateways({ trustedGatewayCidrs }: CallerSettingValues): {
  readonly trustedGateways: CidrList;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const good = trustedGatewayCidrs.filter((cidr) => {
    try {
      parseCidrList([cidr]);
      return true;
    } catch (error) {
      problems.push(`TRUSTED_GATEWAY_CIDR ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  });
  return { trustedGateways: parseCidrList(good), problems };
}

/** Returns the service accounts of node proxies, and a sentence for each entry that is none. */
export function readTrustedNodeAccounts({ trustedNodeAccounts }: CallerSettingValues): {
  readonly trustedNodeAccounts: ReadonlySet<string>;
  readonly problems: readonly string[];
} {
  const problems = trustedNodeAccounts
    .filter((account) => {
      const [namespace = "", serviceAccount = "", ...rest] = account.split("/");
      return rest.length > 0 || !isServiceAccount({ namespace, serviceAccount });
    })
    .map((account) => `CA_TRUSTED_NODE_ACCOUNTS ${JSON.stringify(account)} is not <namespace>/<service account>`);
  return { trustedNodeAccounts: new Set(trustedNodeAccounts), problems };
}
