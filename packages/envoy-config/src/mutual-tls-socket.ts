import type { MinTlsVersion } from "@signet/documents";
import type { JsonMap } from "./envoy-filter.ts";
import { typeUrls } from "./names.ts";
import { startingWith } from "./string-matcher.ts";

/** What a server's end of mutual TLS depends on. */
export type MutualTlsSocketOptions = {
  readonly protocol: "http" | "tcp";
  /** Whose peers are let in; none lets in every peer of the trust bundle. */
  readonly trustDomains: readonly string[];
  readonly minTlsVersion?: MinTlsVersion;
};

/** Of TLS 1.2; TLS 1.3 has its own. */
const cipherSuites = [
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["AES256-GCM-SHA384", "AES128-GCM-SHA256"],
];

const alpnProtocols = {
  http: ["h2", "http/1.1"],
  // The first is Istio's exchange of metadata between sidecars.
  tcp: ["istio-peer-exchange", "h2", "http/1.1"],
};

/** Returns the transport socket of a chain that asks its peers for certificates of the given trust domains. */
export function mutualTlsSocket(options: MutualTlsSocketOptions): {
  readonly name: string;
  readonly typedConfig: JsonMap & { readonly "@type": string };
} {
  const { protocol, trustDomains, minTlsVersion } = options;
  const names = [...new Set(trustDomains)].map((trustDomain) => startingWith(`spiffe://${trustDomain}/`));
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": typeUrls.downstreamTls,
      commonTlsContext: {
        tlsParams: {
          tlsMinimumProtocolVersion: minTlsVersion === "TLSV1_3" ? "TLSv1_3" : "TLSv1_2",
          tlsMaximumProtocolVersion: "TLSv1_3",
          cipherSuites,
        },
        alpnProtocols: alpnProtocols[protocol],
        tlsCertificateSdsSecretConfigs: [sdsSecret("default")],
        combinedValidationContext: {
          defaultValidationContext: names.length === 0 ? {} : { matchSubjectAltNames: names },
          validationContextSdsSecretConfig: sdsSecret("ROOTCA"),
        },
      },
      requireClientCertificate: true,
    },
  };
}

/** A secret that the agent serves, waited for as long as it takes. */
function sdsSecret(name: string): JsonMap {
  return {
    name,
    sdsConfig: {
      apiConfigSource: {
        apiType: "GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "sds-grpc" } }],
        setNodeOnFirstMessageOnly: true,
      },
      initialFetchTimeout: "0s",
      resourceApiVersion: "V3",
    },
  };
}
