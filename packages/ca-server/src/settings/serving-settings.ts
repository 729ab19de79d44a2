import { type Setting, setting } from "@signet/runtime";

/** The server's own certificate. Durations in milliseconds. */
export type ServingSettingValues = {
  readonly servingNames: readonly string[];
  readonly customHosts: readonly string[];
  readonly namespace: string;
  readonly revision: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  readonly caCertFile: string;
};

/** Names and files of the server's own certificate. */
export const servingSettings: { readonly [Name in keyof ServingSettingValues]: Setting<ServingSettingValues[Name]> } = {
  servingNames: setting.list({
    env: "SIGNET_SERVING_NAMES",
    flag: "serving-names",
    default: [],
    description: "further DNS names and IP addresses of the server's own certificate",
  }),
  customHosts: setting.list({
    env: "ISTIOD_CUSTOM_HOST",
    flag: "istiod-custom-host",
    default: [],
    description: "further DNS names of the server's own certificate",
  }),
  namespace: setting.text({
    env: "POD_NAMESPACE",
    flag: "pod-namespace",
    default: "istio-system",
    description: "namespace in the names of the server's own certificate",
  }),
  revision: setting.text({
    env: "REVISION",
    flag: "revision",
    default: "",
    description: "revision in the names of the server's own certificate",
  }),
  tlsCertFile: setting.text({
    env: "SIGNET_TLS_CERT_FILE",
    flag: "tlsCertFile",
    default: "",
    description:
      "file of the server's own certificate and its chain, read anew when it changes; issued here unless set",
  }),
  tlsKeyFile: setting.text({
    env: "SIGNET_TLS_KEY_FILE",
    flag: "tlsKeyFile",
    default: "",
    description: "file of the private key of SIGNET_TLS_CERT_FILE",
  }),
  caCertFile: setting.text({
    env: "SIGNET_TLS_CA_FILE",
    flag: "caCertFile",
    default: "",
    description: "file of the roots that vouch for SIGNET_TLS_CERT_FILE; published with the trust bundle",
  }),
};
