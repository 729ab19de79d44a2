import { errorMessage, isFileMissing, readFileCapped } from "@signet/runtime";
import { CaKubernetesError } from "./errors.ts";

/** Where the root of an external CA may be. */
export type ExternalRootOptions = {
  /** Istio's is ./etc/external-ca-cert/root-cert.pem. */
  readonly rootFile: string;
  /** With a domain for signers that callers name, the cluster's own CA says nothing about their roots. */
  readonly certSignerDomain?: string;
  /** Default is where Kubernetes mounts it. */
  readonly clusterRootFile?: string;
};

const defaultClusterRootFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const maxRootBytes = 1024 * 1024;

/**
 * Returns the root that signers of the cluster lead to (PEM): the root file; when there is none and callers name no
 * signers, the cluster's own CA as mounted with the service account; else undefined, and the root is learned.
 * @throws CaKubernetesError `root-unreadable`
 * @example
 * ```ts
 * import { readExternalRoot } from "@signet/ca-kubernetes";
 * const rootPem = await readExternalRoot({ rootFile: "./etc/external-ca-cert/root-cert.pem" });
 * ```
 */
export async function readExternalRoot(options: ExternalRootOptions): Promise<string | undefined> {
  const { rootFile, certSignerDomain, clusterRootFile = defaultClusterRootFile } = options;
  const root = await readRoot(rootFile);
  return root === undefined && certSignerDomain === undefined ? await readRoot(clusterRootFile) : root;
}

async function readRoot(path: string): Promise<string | undefined> {
  try {
    return (await readFileCapped(path, maxRootBytes)).toString("utf8");
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    const message = `root of the external CA ${path} cannot be read: ${errorMessage(error)}`;
    throw new CaKubernetesError("root-unreadable", message, { cause: error });
  }
}
