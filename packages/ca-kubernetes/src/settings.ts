import type { CaKubernetesSettingValues } from "./setting-spec.ts";
import { checkSignerDomain, checkSignerName } from "./signer-name.ts";

/** What a CA server does with Kubernetes. */
export type CaKubernetesSettings = {
  /** Present when the cluster's signers sign. */
  readonly registrationAuthority?: {
    /** Signs for callers that name none; absent when each caller has to. */
    readonly signerName?: string;
    readonly certSignerDomain?: string;
    readonly rootFile: string;
  };
  /** The Secret that a new self-signed CA is kept in. */
  readonly newSecretName: "istio-ca-secret" | "cacerts";
  readonly rootConfigMap: string;
  readonly crlConfigMap: string;
  /** Empty stands for all namespaces. */
  readonly watchNamespaces: readonly string[];
};

/**
 * Returns the settings about Kubernetes, or every problem that the values have with each other, one sentence each.
 * @example
 * ```ts
 * import { caKubernetesSettings, readCaKubernetesSettings } from "@signet/ca-kubernetes";
 * import { parseSettings } from "@signet/runtime";
 * const env = { EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API", K8S_SIGNER: "example.com/mesh" };
 * const parsed = parseSettings(caKubernetesSettings, { env, args: [] });
 * if (parsed.kind === "settings") readCaKubernetesSettings(parsed.values).problems; // []
 * ```
 */
export function readCaKubernetesSettings(values: CaKubernetesSettingValues): {
  readonly settings: CaKubernetesSettings;
  readonly problems: readonly string[];
} {
  const { k8sSigner, certSignerDomain, externalCa, externalCaRootFile, rootConfigMap, crlConfigMap } = values;
  const registrationAuthority = {
    ...(k8sSigner === "" ? {} : { signerName: k8sSigner }),
    ...(certSignerDomain === "" ? {} : { certSignerDomain }),
    rootFile: externalCaRootFile,
  };
  const settings: CaKubernetesSettings = {
    ...(externalCa === undefined ? {} : { registrationAuthority }),
    newSecretName: values.useCacertsForSelfSignedCa ? "cacerts" : "istio-ca-secret",
    rootConfigMap,
    crlConfigMap,
    watchNamespaces: values.watchNamespaces,
  };
  return { settings, problems: checkTogether(values) };
}

const namePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

function checkTogether(values: CaKubernetesSettingValues): readonly string[] {
  const problems: string[] = [];
  const { externalCa, k8sSigner, certSignerDomain, rootConfigMap, crlConfigMap } = values;
  if (externalCa !== undefined && k8sSigner === "" && certSignerDomain === "") {
    problems.push("EXTERNAL_CA ISTIOD_RA_KUBERNETES_API needs K8S_SIGNER or CERT_SIGNER_DOMAIN, else nobody signs");
  }
  if (k8sSigner !== "" && !checkSignerName(k8sSigner)) {
    problems.push(`K8S_SIGNER ${JSON.stringify(k8sSigner)} is not a signer's name such as example.com/mesh`);
  }
  if (certSignerDomain !== "" && !checkSignerDomain(certSignerDomain)) {
    problems.push(`CERT_SIGNER_DOMAIN ${JSON.stringify(certSignerDomain)} is not a domain such as example.com`);
  }
  if (!namePattern.test(rootConfigMap)) {
    problems.push(`PILOT_CA_CERT_CONFIGMAP ${JSON.stringify(rootConfigMap)} is not the name of a ConfigMap`);
  }
  if (!namePattern.test(crlConfigMap)) {
    problems.push(`PILOT_CRL_CONFIGMAP ${JSON.stringify(crlConfigMap)} is not the name of a ConfigMap`);
  }
  if (rootConfigMap === crlConfigMap) {
    problems.push("PILOT_CA_CERT_CONFIGMAP and PILOT_CRL_CONFIGMAP must be two names");
  }
  for (const namespace of values.watchNamespaces) {
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
      problems.push(`ISTIO_WATCH_NAMESPACE ${JSON.stringify(namespace)} is not the name of a namespace`);
    }
  }
  return problems;
}
