import type { PeerMtls, PeerMtlsMode } from "@signet/documents";
import { describe, expect, test } from "vitest";
import { type FilterChain, type FilterChainOptions, inboundFilterChains } from "./filter-chains.ts";

const trustDomains = ["td1", "td2"];

function chains(modes: Partial<PeerMtls>, options: Partial<FilterChainOptions> = {}): readonly FilterChain[] {
  return inboundFilterChains({ mode: "PERMISSIVE", portModes: new Map(), ...modes }, { trustDomains, ...options });
}

/** A chain as a line: name, port, transport, protocols, and whether it ends mutual TLS. */
function line({ name, filterChainMatch, transportSocket }: FilterChain): string {
  const { destinationPort = "any", transportProtocol, applicationProtocols = ["any"] } = Object(filterChainMatch);
  const mutual = transportSocket === undefined ? "" : " mutual";
  return `${name} ${destinationPort} ${transportProtocol} ${applicationProtocols.join("|")}${mutual}`;
}

const http = "virtualInbound-catchall-http";
const tcp = "virtualInbound";
const meshHttp = "istio-http/1.0|istio-http/1.1|istio-h2";
const meshAll = `istio|istio-peer-exchange|${meshHttp}`;

const unknown: Readonly<Record<PeerMtlsMode, readonly string[]>> = {
  STRICT: [`${http} any tls ${meshHttp} mutual`, `${tcp} any tls any mutual`],
  PERMISSIVE: [
    `${http} any tls ${meshHttp} mutual`,
    `${http} any raw_buffer http/1.1|h2c`,
    `${tcp} any tls istio-peer-exchange|istio mutual`,
    `${tcp} any raw_buffer any`,
    `${tcp} any tls any`,
  ],
  DISABLE: [`${http} any raw_buffer http/1.1|h2c`, `${tcp} any raw_buffer any`],
};

describe("spec 5: filter chains by mode", () => {
  test.each(["STRICT", "PERMISSIVE", "DISABLE"] as const)("%s, of ports about which nothing is known", (mode) => {
    expect(chains({ mode }).map(line)).toEqual(unknown[mode]);
  });

  test.each<[PeerMtlsMode, readonly string[]]>([
    ["STRICT", ["any mutual"]],
    ["PERMISSIVE", [`${meshAll} mutual`, "any"]],
    ["DISABLE", ["any"]],
  ])("%s, of a port of HTTP", (mode, expected) => {
    const known = chains({ mode }, { ports: new Map([[8080, "http"]]) }).map(line);
    const transports = expected.map((alpn, at) => `${mode === "DISABLE" || at === 1 ? "raw_buffer" : "tls"} ${alpn}`);
    expect(known).toEqual([...transports.map((rest) => `0.0.0.0_8080 8080 ${rest}`), ...unknown[mode]]);
  });

  test.each<[PeerMtlsMode, readonly string[]]>([
    ["STRICT", ["tls any mutual"]],
    ["PERMISSIVE", [`tls ${meshAll} mutual`, "tls any", "raw_buffer any"]],
    ["DISABLE", ["raw_buffer any"]],
  ])("%s, of a port of TCP", (mode, expected) => {
    const known = chains({ mode }, { ports: new Map([[90, "tcp"]]) }).map(line);
    expect(known).toEqual([...expected.map((rest) => `0.0.0.0_90 90 ${rest}`), ...unknown[mode]]);
  });

  test("a port with a mode of its own has its own chains, of whatever it speaks", () => {
    const portModes = new Map<number, PeerMtlsMode>([
      [80, "DISABLE"],
      [90, "PERMISSIVE"],
    ]);
    const lines = chains({ mode: "STRICT", portModes }, { ports: new Map([[90, "tcp"]]) }).map(line);
    expect(lines).toEqual([
      `0.0.0.0_90 90 tls ${meshAll} mutual`,
      "0.0.0.0_90 90 tls any",
      "0.0.0.0_90 90 raw_buffer any",
      ...unknown.STRICT,
      ...unknown.DISABLE.map((one) => one.replace(" any ", " 80 ")),
    ]);
  });
});

describe("the transport socket", () => {
  const [overHttp, overTcp] = chains({ mode: "STRICT" });
  const secret = (name: string): object => ({
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
  });

  test("asks for a certificate of the mesh's trust domains, with the agent's secrets", () => {
    expect(overHttp?.transportSocket).toEqual({
      name: "envoy.transport_sockets.tls",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        commonTlsContext: {
          tlsParams: {
            tlsMinimumProtocolVersion: "TLSv1_2",
            tlsMaximumProtocolVersion: "TLSv1_3",
            cipherSuites: [
              "ECDHE-ECDSA-AES256-GCM-SHA384",
              "ECDHE-RSA-AES256-GCM-SHA384",
              "ECDHE-ECDSA-AES128-GCM-SHA256",
              "ECDHE-RSA-AES128-GCM-SHA256",
              "AES256-GCM-SHA384",
              "AES128-GCM-SHA256",
            ],
          },
          alpnProtocols: ["h2", "http/1.1"],
          tlsCertificateSdsSecretConfigs: [secret("default")],
          combinedValidationContext: {
            defaultValidationContext: {
              matchSubjectAltNames: [{ prefix: "spiffe://td1/" }, { prefix: "spiffe://td2/" }],
            },
            validationContextSdsSecretConfig: secret("ROOTCA"),
          },
        },
        requireClientCertificate: true,
      },
    });
  });

  test("of TCP offers the exchange of metadata too", () => {
    expect(overTcp?.transportSocket?.typedConfig.commonTlsContext).toMatchObject({
      alpnProtocols: ["istio-peer-exchange", "h2", "http/1.1"],
    });
  });

  test.each([
    ["TLSV1_3", "TLSv1_3"],
    ["TLSV1_2", "TLSv1_2"],
    ["TLS_AUTO", "TLSv1_2"],
  ] as const)("takes %s from the mesh config", (minTlsVersion, tlsMinimumProtocolVersion) => {
    const [first] = chains({ mode: "STRICT" }, { minTlsVersion });
    expect(first?.transportSocket?.typedConfig.commonTlsContext).toMatchObject({
      tlsParams: { tlsMinimumProtocolVersion },
    });
  });

  test("without trust domains lets in every peer of the bundle", () => {
    const [first] = chains({ mode: "STRICT" }, { trustDomains: [] });
    expect(first?.transportSocket?.typedConfig.commonTlsContext).toMatchObject({
      combinedValidationContext: { defaultValidationContext: {} },
    });
  });
});
