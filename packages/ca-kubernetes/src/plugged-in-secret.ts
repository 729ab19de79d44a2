import type { CaFiles } from "@signet/ca";
import { type KubernetesApi, resources, type Secret } from "@signet/kubernetes";
import { followSecret } from "./follow-secret.ts";
import { offerFiles, openFiles } from "./offer-files.ts";
import { retryStart } from "./retry-start.ts";
import type { SecretCa, SecretCaDependencies } from "./secret-ca.ts";
import { describePlace, generatedMarker, pluggedInFilesOf, type SecretPlace } from "./secret-layout.ts";

/** Which Secret a plugged-in CA is looked for in. */
export type PluggedInSecretOptions = {
  readonly namespace: string;
  /** Istio's is "cacerts". */
  readonly name: string;
  /** True when self-signed CAs are kept in `cacerts` too: then one that is marked as such is no plugged-in CA. */
  readonly skipGenerated?: boolean;
};

/**
 * Returns the files of a plugged-in CA in a Secret, in Istio's layout (`ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`,
 * `root-cert.pem`, `ca-crl.pem` if there is one) or that of a TLS Secret (`tls.crt`, `tls.key`, `ca.crt`), or undefined
 * when there is no such Secret or it holds none of these files.
 * @throws CaKubernetesError `secret-incomplete`, `secret-malformed`; KubernetesError
 * @example
 * ```ts
 * import { readPluggedInSecret } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * export async function rootOf(api: KubernetesApi, signal: AbortSignal): Promise<string | undefined> {
 *   return (await readPluggedInSecret(api, { namespace: "istio-system", name: "cacerts" }, signal))?.rootPem;
 * }
 * ```
 */
export async function readPluggedInSecret(
  api: KubernetesApi,
  options: PluggedInSecretOptions,
  signal: AbortSignal,
): Promise<CaFiles | undefined> {
  const secret = await api.read(resources.secrets, placeOf(options), signal);
  return secret === undefined ? undefined : filesOf(secret, options);
}

/**
 * Returns the plugged-in CA of a Secret, which it follows, or undefined when the Secret holds none.
 *
 * A new set of files is taken over when it is good and follows on the present one; a bad set, and a deleted Secret,
 * leave the present one signing. A deleted Secret is not written back: it is not ours.
 * @throws CaError `ca-material-invalid`; CaKubernetesError `secret-incomplete`, `secret-malformed`, `secret-unavailable`
 * @example
 * ```ts
 * import { openPluggedInSecretCa, type SecretCaDependencies } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * export function openCa(api: KubernetesApi, dependencies: SecretCaDependencies, signal: AbortSignal) {
 *   return openPluggedInSecretCa({ api, namespace: "istio-system", name: "cacerts" }, dependencies, signal);
 * }
 * ```
 */
export async function openPluggedInSecretCa(
  options: PluggedInSecretOptions & { readonly api: KubernetesApi; readonly startDeadlineMs?: number },
  dependencies: SecretCaDependencies,
  signal: AbortSignal,
): Promise<SecretCa | undefined> {
  const { api, startDeadlineMs: deadlineMs } = options;
  const place = placeOf(options);
  const secret = describePlace(place);
  const attempt = (): Promise<CaFiles | undefined> => readPluggedInSecret(api, options, signal);
  const files = await retryStart({ secret, attempt, deadlineMs }, dependencies, signal);
  if (files === undefined) return undefined;
  const signingCa = openFiles({ name: "plugged-in", files, place }, dependencies);
  const offer = (changed: Secret): boolean => offerFiles(signingCa, place, () => filesOf(changed, options));
  return { signingCa, secret, task: followSecret({ api, place, offer, restore: undefined }, dependencies) };
}

function placeOf({ namespace, name }: PluggedInSecretOptions): SecretPlace {
  return { namespace, name };
}

function filesOf(secret: Secret, options: PluggedInSecretOptions): CaFiles | undefined {
  if (options.skipGenerated && Object.hasOwn(secret.data ?? {}, generatedMarker)) return undefined;
  return pluggedInFilesOf(secret, placeOf(options));
}
