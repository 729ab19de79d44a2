import { type Setting, setting } from "@signet/runtime";

/** Settings of istiod of which this server can do one value only. */
export type UnsupportedSettingValues = {
  readonly enableCaServer: boolean;
  readonly useRemoteCerts: boolean;
  readonly certProvider: string;
  readonly compliancePolicy: string;
  readonly authenticate: boolean;
  readonly authenticatePlaintext: boolean;
};

/** What istiod would do otherwise; any other value than the only one stops the start. */
export const unsupportedSettings: {
  readonly [Name in keyof UnsupportedSettingValues]: Setting<UnsupportedSettingValues[Name]>;
} = {
  enableCaServer: setting.bool({
    env: "ENABLE_CA_SERVER",
    flag: "enable-ca-server",
    default: true,
    description: "false stops the start: this process is nothing but a CA server",
  }),
  useRemoteCerts: setting.bool({
    env: "USE_REMOTE_CERTS",
    flag: "use-remote-certs",
    default: false,
    description: "only false is supported; true stops the start",
  }),
  certProvider: setting.text({
    env: "PILOT_CERT_PROVIDER",
    flag: "pilot-cert-provider",
    default: "istiod",
    description:
      "only istiod is supported: the server's own certificate comes from its own CA; anything else stops the start",
  }),
  compliancePolicy: setting.text({
    env: "COMPLIANCE_POLICY",
    flag: "compliance-policy",
    default: "",
    description: "only empty is supported; anything else stops the start",
  }),
  authenticate: setting.bool({
    env: "XDS_AUTH",
    flag: "xds-auth",
    default: true,
    description: "only true is supported: no certificate is issued to somebody unknown; false stops the start",
  }),
  authenticatePlaintext: setting.bool({
    env: "XDS_AUTH_PLAINTEXT",
    flag: "xds-auth-plaintext",
    default: false,
    description: "only false is supported: there is no port without TLS; true stops the start",
  }),
};

/** Returns a sentence for every setting that asks for what this server would quietly not do. */
export function unsupportedProblems(values: UnsupportedSettingValues): readonly string[] {
  const problems: string[] = [];
  if (!values.enableCaServer) problems.push("ENABLE_CA_SERVER is false, and this process is nothing but a CA server");
  if (values.useRemoteCerts) problems.push("USE_REMOTE_CERTS is not supported");
  if (!["istiod", ""].includes(values.certProvider)) {
    problems.push(`PILOT_CERT_PROVIDER ${JSON.stringify(values.certProvider)} is not supported`);
  }
  // Whoever asks for it has to answer for the ciphers, and would find out from an auditor.
  if (values.compliancePolicy !== "") {
    problems.push(`COMPLIANCE_POLICY ${JSON.stringify(values.compliancePolicy)} is not supported`);
  }
  if (!values.authenticate) problems.push("XDS_AUTH is false, and nobody gets a certificate without being known");
  if (values.authenticatePlaintext) problems.push("XDS_AUTH_PLAINTEXT is not supported: there is no port without TLS");
  return problems;
}
