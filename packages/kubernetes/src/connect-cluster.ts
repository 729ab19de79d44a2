import { dirname, join } from "node:path";
import { type Clock, errorMessage, formatHostPort, readFileCapped } from "@signet/runtime";
import { createCredentialSource } from "./credentials.ts";
import { KubernetesError } from "./errors.ts";
import { createExecCredentialSource } from "./exec-credentials.ts";
import { createHttpsTransport } from "./https-transport.ts";
import { type Kubeconfig, parseKubeconfig, parseServer } from "./kubeconfig.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { type ClusterLimits, createKubernetesApi } from "./kubernetes-client.ts";
import { parseYaml } from "./parse-yaml.ts";

/**
 * The way to a cluster.
 *
 * A `kubeconfig-text` comes from someone else, such as a Secret about a remote cluster: it may hold data only. Programs to run
 * (unless `allowExec`) and paths of files of ours are refused, since either would hand what is ours to whoever wrote it.
 */
export type ClusterSource =
  | {
      readonly kind: "in-cluster";
      /** Where token and CA are; default where Kubernetes mounts them. */
      readonly directory?: string;
    }
  | { readonly kind: "kubeconfig-file"; readonly path: string; readonly context?: string }
  | {
      readonly kind: "kubeconfig-text";
      readonly text: string;
      readonly context?: string;
      /** Default false. */
      readonly allowExec?: boolean;
    };

const mountedDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";
const maxKubeconfigBytes = 1024 * 1024;

/**
 * Opens a cluster: reads the configuration and the credentials. Nothing is sent yet, so that the API server need not be up; a
 * program that a kubeconfig file names is run with the first call.
 *
 * Refused besides what contradicts itself: a server that is not https, one that is not to be verified, proxies, impersonation,
 * basic authentication and auth-provider plugins.
 * @throws KubernetesError `config-invalid`
 * @example
 * ```ts
 * import { connectCluster, resources } from "@signet/kubernetes";
 * import { systemClock } from "@signet/runtime";
 * async function secretNames(signal: AbortSignal): Promise<string[]> {
 *   const api = await connectCluster({ kind: "in-cluster" }, { clock: systemClock });
 *   const { items } = await api.list(resources.secrets, { namespace: "istio-system" }, signal);
 *   api.close();
 *   return items.map((secret) => secret.metadata.name);
 * }
 * ```
 */
export async function connectCluster(
  source: ClusterSource,
  dependencies: {
    readonly clock: Clock;
    readonly limits?: ClusterLimits;
    /** Where an "in-cluster" source finds the API server; default that of the process. */
    readonly environment?: Readonly<Record<string, string | undefined>>;
  },
): Promise<KubernetesApi> {
  const { clock, environment = process.env } = dependencies;
  const config = await configOf(source, environment);
  const parts = createCredentialSource(config.parts, clock);
  // What is wrong with the files shows now.
  await parts.current(new AbortController().signal);
  const credentials = config.exec === undefined ? parts : createExecCredentialSource(config.exec, parts, clock);
  const { server, serverName } = config;
  const transport = createHttpsTransport({ server, credentials, ...(serverName === undefined ? {} : { serverName }) });
  return createKubernetesApi(transport, dependencies);
}

async function configOf(
  source: ClusterSource,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Kubeconfig> {
  if (source.kind === "in-cluster") return inClusterConfig(source.directory ?? mountedDirectory, environment);
  const context = source.context === undefined ? {} : { context: source.context };
  if (source.kind === "kubeconfig-text") {
    return parseKubeconfig(await yamlOf(source.text), { ...context, allowExec: source.allowExec === true });
  }
  const text = await readKubeconfig(source.path);
  return parseKubeconfig(await yamlOf(text), { ...context, directory: dirname(source.path), allowExec: true });
}

function inClusterConfig(directory: string, environment: Readonly<Record<string, string | undefined>>): Kubeconfig {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "" } = environment;
  if (host === "" || !/^\d{1,5}$/.test(port)) {
    throw new KubernetesError("config-invalid", "this is no pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
  }
  return {
    server: parseServer(`https://${formatHostPort({ host, port: Number(port) })}`),
    parts: { ca: { path: join(directory, "ca.crt") }, token: { path: join(directory, "token") } },
  };
}

async function readKubeconfig(path: string): Promise<string> {
  try {
    return (await readFileCapped(path, maxKubeconfigBytes)).toString("utf8");
  } catch (error) {
    throw new KubernetesError("config-invalid", `kubeconfig: ${errorMessage(error)}`, { cause: error });
  }
}

async function yamlOf(text: string): Promise<unknown> {
  if (text.length > maxKubeconfigBytes) throw new KubernetesError("config-invalid", "the kubeconfig is too large");
  try {
    return await parseYaml(text);
  } catch {
    // The parser quotes the line, which may hold a key.
    throw new KubernetesError("config-invalid", "the kubeconfig is not YAML");
  }
}
