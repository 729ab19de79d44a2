import { type Setting, setting } from "@signet/runtime";

/** The settings about Kubernetes as parsed one by one, before they are checked against each other. */
export type CaKubernetesSettingValues = {
  readonly externalCa: "ISTIOD_RA_KUBERNETES_API" | undefined;
  readonly k8sSigner: string;
  readonly certSignerDomain: string;
  readonly externalCaRootFile: string;
  readonly useCacertsForSelfSignedCa: boolean;
  readonly rootConfigMap: string;
  readonly crlConfigMap: string;
  readonly watchNamespaces: readonly string[];
};

/** How each of them is read. */
export type CaKubernetesSettingSpec = {
  readonly [Name in keyof CaKubernetesSettingValues]: Setting<CaKubernetesSettingValues[Name]>;
};

/** What a CA server can be told about Kubernetes, by environment variable or flag; Istio's names and defaults where Istio has them. */
export const caKubernetesSettings: CaKubernetesSettingSpec = {
  externalCa: setting.choice({
    env: "EXTERNAL_CA",
    flag: "external-ca",
    choices: ["ISTIOD_RA_KUBERNETES_API"],
    description: "has the cluster's own signers sign, through the CSR API; the CA of this server signs unless set",
  }),
  k8sSigner: setting.text({
    env: "K8S_SIGNER",
    flag: "k8s-signer",
    default: "",
    description: "signer that signs for callers that name none, such as example.com/mesh",
  }),
  certSignerDomain: setting.text({
    env: "CERT_SIGNER_DOMAIN",
    flag: "cert-signer-domain",
    default: "",
    description: "domain of the signers that callers may name; a caller's CertSigner is the part behind the slash",
  }),
  externalCaRootFile: setting.text({
    env: "SIGNET_EXTERNAL_CA_ROOT_FILE",
    flag: "external-ca-root-file",
    default: "./etc/external-ca-cert/root-cert.pem",
    description: "root that the cluster's signers lead to; when there is no such file it is learned",
  }),
  useCacertsForSelfSignedCa: setting.bool({
    env: "USE_CACERTS_FOR_SELF_SIGNED_CA",
    flag: "use-cacerts-for-self-signed-ca",
    default: false,
    description: "keeps a new self-signed CA in the Secret cacerts instead of istio-ca-secret",
  }),
  rootConfigMap: setting.text({
    env: "PILOT_CA_CERT_CONFIGMAP",
    flag: "pilot-ca-cert-configmap",
    default: "istio-ca-root-cert",
    description: "ConfigMap of each namespace that the root is published to",
  }),
  crlConfigMap: setting.text({
    env: "PILOT_CRL_CONFIGMAP",
    flag: "pilot-crl-configmap",
    default: "istio-ca-crl",
    description: "ConfigMap of each namespace that the CA's revocation lists are published to",
  }),
  watchNamespaces: setting.list({
    env: "ISTIO_WATCH_NAMESPACE",
    flag: "istio-watch-namespace",
    default: [],
    description: "namespaces that the root is published to; all of them unless set",
  }),
};
