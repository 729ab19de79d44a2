import { type CallContext, metadataFrom, type Peer } from "@signet/grpc";
import { describe, expect, it } from "vitest";
import { readPresentedCredentials } from "./presented-credentials.ts";

const peer: Peer = { address: "192.0.2.1:4711", transport: "tls" };

function context(metadata: Record<string, string | string[]>, from: Peer = peer): CallContext {
  return { signal: new AbortController().signal, metadata: metadataFrom(metadata), peer: from };
}

describe("readPresentedCredentials", () => {
  const none = { peerAddress: "192.0.2.1:4711", transport: "tls" };

  it.each<[string, Record<string, string | string[]>, object]>([
    ["nothing", {}, none],
    ["a token", { authorization: "Bearer a.b.c" }, { ...none, bearerToken: "a.b.c" }],
    [
      "the first Bearer of several values",
      { authorization: ["Basic x", "Bearer a", "Bearer b"] },
      { ...none, bearerToken: "a" },
    ],
    ["another case of Bearer", { authorization: "bearer a.b.c" }, none],
    ["Istio's other prefix", { authorization: "Istio a.b.c" }, none],
    ["Bearer without a space", { authorization: "Bearera.b.c" }, none],
    ["a leading space", { authorization: " Bearer a.b.c" }, none],
    ["an empty token", { authorization: "Bearer " }, { ...none, bearerToken: "" }],
    ["one cluster", { ClusterID: "east" }, { ...none, clusterId: "east" }],
    ["two clusters", { clusterid: ["east", "west"] }, none],
    ["an empty cluster", { clusterid: "" }, none],
    ["a forwarded certificate", { "x-forwarded-client-cert": "URI=a" }, { ...none, forwardedClientCert: "URI=a" }],
    [
      "forwarded certificates of several values",
      { "X-Forwarded-Client-Cert": ["URI=a", "URI=b"] },
      { ...none, forwardedClientCert: "URI=a,URI=b" },
    ],
  ])("reads %s", (_, metadata, expected) => {
    expect(readPresentedCredentials(context(metadata))).toEqual(expected);
  });

  it("passes on the certificate chain that TLS verified", () => {
    const certificateChain = [new Uint8Array([1]), new Uint8Array([2])];
    const presented = readPresentedCredentials(context({}, { ...peer, certificateChain }));
    expect(presented.clientCertificateChain).toBe(certificateChain);
  });

  it("passes on why TLS refused a certificate", () => {
    const presented = readPresentedCredentials(context({}, { ...peer, certificateProblem: "CERT_HAS_EXPIRED" }));
    expect(presented).toEqual({ ...none, clientCertificateProblem: "CERT_HAS_EXPIRED" });
  });
});
