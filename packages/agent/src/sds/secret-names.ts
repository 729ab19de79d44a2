/** The name of an SDS secret that this agent can have; every one of them comes from `parseSecretName`. */
export type SecretName = string;

/** What a name stands for. */
export type SecretReference =
  | { readonly kind: "workload-svid" }
  | { readonly kind: "trust-bundle" }
  /** A certificate chain and its key, in PEM files. */
  | { readonly kind: "certificate-files"; readonly certificateFile: string; readonly keyFile: string }
  /** Authorities in a PEM file. */
  | { readonly kind: "root-file"; readonly rootFile: string }
  /** The authorities that the operating system trusts. */
  | { readonly kind: "system-roots" };

/** What is read from files, whenever somebody asks for it. */
export type FileReference = Exclude<SecretReference, { kind: "workload-svid" | "trust-bundle" }>;

/** The workload's certificate chain and private key, as Istio names it on the wire. */
export const workloadSecretName = "default";

/** The trust bundle of the workload's trust domain, as Istio names it on the wire. */
export const trustBundleSecretName = "ROOTCA";

const certificateFilesPrefix = "file-cert:";
const rootFilePrefix = "file-root:";
const systemRoots = "system";

/** Longest name, in UTF-16 code units: two paths of the longest kind. */
const maxNameLength = 8_192 + 16;

/**
 * Returns what `name` stands for, or undefined.
 *
 * `default` and `ROOTCA`; `file-cert:<certificate>~<key>`, `file-root:<file>` and `file-root:system`, as istiod writes them
 * into Envoy's configuration. Any other name never reaches key material: istio-agent answers it with the workload's key.
 */
export function parseSecretName(name: string): SecretReference | undefined {
  if (name === workloadSecretName) return { kind: "workload-svid" };
  if (name === trustBundleSecretName) return { kind: "trust-bundle" };
  if (name.length > maxNameLength || name.includes("\0")) return undefined;
  if (name.startsWith(certificateFilesPrefix)) return certificateFiles(name.slice(certificateFilesPrefix.length));
  if (name.startsWith(rootFilePrefix)) return rootFile(name.slice(rootFilePrefix.length));
  return undefined;
}

function certificateFiles(paths: string): SecretReference | undefined {
  const [certificateFile = "", keyFile = "", ...more] = paths.split("~");
  if (certificateFile === "" || keyFile === "" || more.length > 0) return undefined;
  return { kind: "certificate-files", certificateFile, keyFile };
}

function rootFile(path: string): SecretReference | undefined {
  if (path === systemRoots) return { kind: "system-roots" };
  return path === "" || path.includes("~") ? undefined : { kind: "root-file", rootFile: path };
}
