import { X509Certificate } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  createSource,
  directoriesOf,
  errorMessage,
  readFileCapped,
  type Source,
  type Task,
  watchFiles,
} from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import {
  type Certificate,
  certificatePem,
  parseCertificates,
  parsePrivateKey,
  parseTrustBundle,
  privateKeyPem,
  spiffeIdOf,
  trustBundlesEqual,
} from "@signet/x509";
import { AgentError } from "../errors.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

/** Where an identity is that somebody else keeps fresh, such as a CSI driver. */
export type IdentityFiles = { readonly certificateFile: string; readonly keyFile: string; readonly rootFile: string };

/** What happens to an identity in files, for logs. */
export interface FileIdentityEvents {
  loaded(event: { readonly identity: WorkloadIdentity }): void;
  /** What was read before stays in use. Told once, and again when the reason changes. */
  failed(event: { readonly error: unknown }): void;
}

const maxFileBytes = 1_048_576;
const pollMs = 10_000;

const legacyDirectory = "./etc/certs";
const workloadCredentials = "./var/run/secrets/workload-spiffe-credentials";
const istioNames = { certificateFile: "cert-chain.pem", keyFile: "key.pem", rootFile: "root-cert.pem" } as const;
const gkeNames = {
  certificateFile: "certificates.pem",
  keyFile: "private_key.pem",
  rootFile: "ca_certificates.pem",
} as const;

/**
 * Returns the files of the identity, or undefined when it is to be had from a CA: as in Istio, those of `FILE_MOUNTED_CERTS`, or
 * a whole set in `workload-spiffe-credentials`, under Istio's names or Google's.
 */
export async function findIdentityFiles(fileMounted: boolean): Promise<IdentityFiles | undefined> {
  if (fileMounted) return filesIn(legacyDirectory, istioNames);
  for (const names of [istioNames, gkeNames]) {
    const files = filesIn(workloadCredentials, names);
    if ((await Promise.all(Object.values(files).map(exists))).every(Boolean)) return files;
  }
  return undefined;
}

function filesIn(directory: string, names: IdentityFiles): IdentityFiles {
  return {
    certificateFile: join(directory, names.certificateFile),
    keyFile: join(directory, names.keyFile),
    rootFile: join(directory, names.rootFile),
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/**
 * One workload's identity as it is in files, read again whenever they may have changed, through the links of a Kubernetes volume.
 *
 * Certificate and key are a pair or nothing: what is read while somebody writes them is not served, and neither is a certificate
 * without exactly one SPIFFE ID. It is served past its end too, as Istio does; renewing it is somebody else's.
 */
export function createFileIdentity(
  files: IdentityFiles,
  { clock, events }: { readonly clock: Clock; readonly events: FileIdentityEvents },
): { readonly identity: Source<WorkloadIdentity>; readonly task: Task; lastFailure(): unknown } {
  const identity = createSource<WorkloadIdentity>();
  let lastFailure: unknown;

  async function look(): Promise<void> {
    try {
      const found = await readIdentity(files, clock.now());
      lastFailure = undefined;
      if (isSame(identity.current(), found)) return;
      identity.publish(found);
      events.loaded({ identity: found });
    } catch (error) {
      if (errorMessage(error) !== errorMessage(lastFailure)) events.failed({ error });
      lastFailure = error;
    }
  }

  const directories = (): Promise<readonly string[]> => directoriesOf(Object.values(files));
  const { task } = watchFiles({ name: "watch identity files", directories, look, pollMs }, { clock });
  return { identity, task, lastFailure: () => lastFailure };
}

async function readIdentity(files: IdentityFiles, receivedAt: Date): Promise<WorkloadIdentity> {
  const [certificates, key, roots] = await Promise.all(
    [files.certificateFile, files.keyFile, files.rootFile].map(readText),
  );
  try {
    const [leaf, ...rest] = parseCertificates(certificates ?? "");
    if (leaf === undefined) throw new Error("there is no certificate");
    const pair = parsePrivateKey(key ?? "");
    if (!isPair(leaf, pair.privateKey)) throw new Error("the key is not that of the certificate");
    const trustBundle = parseTrustBundle(roots ?? "");
    const spiffeId = spiffeIdOf(leaf);
    return {
      svid: { spiffeId, chain: [leaf, ...rest], key: pair },
      trustBundles: new Map([[trustDomainOf(spiffeId), trustBundle]]),
      receivedAt,
    };
  } catch (cause) {
    const { certificateFile, keyFile, rootFile } = files;
    const message = `${certificateFile}, ${keyFile} and ${rootFile} are no identity: ${errorMessage(cause)}`;
    throw new AgentError("secret-files-unusable", message, { cause });
  }
}

function isPair(leaf: Certificate, key: Parameters<X509Certificate["checkPrivateKey"]>[0]): boolean {
  return new X509Certificate(leaf.der).checkPrivateKey(key);
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFileCapped(path, maxFileBytes)).toString("utf8");
  } catch (cause) {
    throw new AgentError("secret-files-unusable", errorMessage(cause), { cause });
  }
}

function isSame(before: WorkloadIdentity | undefined, after: WorkloadIdentity): boolean {
  if (before === undefined || textOf(before) !== textOf(after)) return false;
  const [one] = before.trustBundles.values();
  const [other] = after.trustBundles.values();
  return one !== undefined && other !== undefined && trustBundlesEqual(one, other);
}

function textOf({ svid }: WorkloadIdentity): string {
  return svid.chain.map(certificatePem).join("") + privateKeyPem(svid.key, "pkcs8");
}
