import type { PresentedCredentials } from "@signet/ca";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { type CertificateChain, signLeaf, type TrustBundle } from "@signet/x509";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { createClientCertificateAuthenticator } from "./client-certificate.ts";

const never = new AbortController().signal;
const trustDomains = {
  trustDomain: parseTrustDomain("cluster.local"),
  trustDomainAliases: new Set([parseTrustDomain("old.example")]),
};
const clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
const root = await testRoot();

function presented(chain: readonly { readonly der: Uint8Array }[]): PresentedCredentials {
  return {
    peerAddress: "192.0.2.1:4711",
    transport: "tls",
    clientCertificateChain: chain.map(({ der }) => der),
  };
}

function authenticate(credentials: PresentedCredentials, trustBundle = createSource(root.trustBundle)) {
  return createClientCertificateAuthenticator({ ...trustDomains, trustBundle }, clock).authenticate(credentials, never);
}

async function chainOf(options: Parameters<typeof testLeaf>[1]): Promise<CertificateChain> {
  return (await testLeaf(root, options)).chain;
}

describe("the client certificate authenticator", () => {
  it("has nothing to say without a certificate", async () => {
    const none: PresentedCredentials = { peerAddress: "192.0.2.1:4711", transport: "tls" };
    expect(await authenticate(none)).toEqual({ kind: "not-applicable" });
    expect(await authenticate(presented([]))).toEqual({ kind: "not-applicable" });
  });

  it("knows the SPIFFE ID of an SVID of ours, directly under the root and below an intermediate", async () => {
    const { spiffeId, chain } = await testLeaf(root);
    const known = { kind: "authenticated", caller: { spiffeId, source: "client-certificate" } };
    expect(await authenticate(presented(chain))).toEqual(known);
    const below = await testLeaf(await testIntermediate(root));
    expect(await authenticate(presented(below.chain))).toEqual(known);
  });

  it("says why TLS did not accept one", async () => {
    const expired: PresentedCredentials = {
      ...{ peerAddress: "192.0.2.1:4711", transport: "tls", clientCertificateProblem: "CERT_HAS_EXPIRED" },
    };
    expect(await authenticate(expired)).toEqual({
      kind: "rejected",
      reason: "certificate-untrusted",
      cause: "TLS refused the certificate: CERT_HAS_EXPIRED",
    });
  });

  it("knows an SVID of an alias of our trust domain, and gives it our own", async () => {
    const chain = await chainOf({ spiffeId: "spiffe://old.example/ns/demo/sa/frontend" });
    expect(await authenticate(presented(chain))).toEqual({
      kind: "authenticated",
      caller: { spiffeId: "spiffe://cluster.local/ns/demo/sa/frontend", source: "client-certificate" },
    });
    const foreign = await testLeaf(await testRoot(), { spiffeId: "spiffe://old.example/ns/demo/sa/frontend" });
    expect((await authenticate(presented(foreign.chain))).kind).toBe("rejected");
  });

  it("gives back the SPIFFE ID alone, whatever other names stand beside it", async () => {
    const uri = "spiffe://cluster.local/ns/demo/sa/frontend";
    const chain = await chainOf({
      subjectAltNames: [
        { kind: "uri", value: uri },
        { kind: "dns", value: "istiod.istio-system.svc" },
        { kind: "ip", value: "10.0.0.1" },
      ],
    });
    expect(await authenticate(presented(chain))).toEqual({
      kind: "authenticated",
      caller: { spiffeId: uri, source: "client-certificate" },
    });
  });

  it.each<[string, Parameters<typeof testLeaf>[1], string]>([
    ["of another trust domain", { spiffeId: "spiffe://other.example/ns/demo/sa/frontend" }, "trust-domain-foreign"],
    ["without a URI", { subjectAltNames: [{ kind: "dns", value: "a.example" }] }, "spiffe-id-invalid"],
    [
      "with two URIs",
      {
        subjectAltNames: [
          { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" },
          { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/backend" },
        ],
      },
      "spiffe-id-invalid",
    ],
    [
      "whose URI is no SPIFFE ID",
      { subjectAltNames: [{ kind: "uri", value: "https://a.example/" }] },
      "spiffe-id-invalid",
    ],
    ["that has expired", { notAfter: new Date("2025-12-31T23:59:59Z") }, "certificate-untrusted"],
    ["that is not valid yet", { notBefore: new Date("2026-01-01T00:00:01Z") }, "certificate-untrusted"],
  ])("rejects a certificate %s", async (_, options, reason) => {
    expect(await authenticate(presented(await chainOf(options)))).toMatchObject({ kind: "rejected", reason });
  });

  it("rejects the same name under another root", async () => {
    const { chain } = await testLeaf(await testRoot());
    expect(await authenticate(presented(chain))).toMatchObject({ kind: "rejected", reason: "certificate-untrusted" });
  });

  it("rejects a certificate that is for servers only", async () => {
    const { key } = await testLeaf(root);
    const template = {
      spki: key.spki,
      notBefore: new Date("2025-12-31T00:00:00Z"),
      notAfter: new Date("2027-01-01T00:00:00Z"),
    };
    const uri = { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" } as const;
    const issuer = { certificate: root.certificate, key: root.key };
    const whole = signLeaf({ template: { ...template, subjectAltNames: [uri] }, issuer, serialNumber: Buffer.of(1) });
    // serverAuth and clientAuth of the profile become serverAuth twice; the signature no longer fits, and is not reached.
    const clientAuth = Buffer.from("06082b06010505070302", "hex");
    const at = Buffer.from(whole).indexOf(clientAuth);
    const der = Buffer.from(whole);
    der[at + clientAuth.length - 1] = 0x01;
    const result = await authenticate(presented([{ der }]));
    expect(result).toMatchObject({ kind: "rejected", cause: expect.stringContaining("extended-key-usage-missing") });
  });

  it("rejects a CA's own certificate", async () => {
    const intermediate = await testIntermediate(root);
    expect((await authenticate(presented(intermediate.chain))).kind).toBe("rejected");
  });

  it("follows the trust bundle: a root that is gone vouches for nobody", async () => {
    const { chain } = await testLeaf(root);
    const trustBundle = createSource<TrustBundle>(root.trustBundle);
    const authenticator = createClientCertificateAuthenticator({ ...trustDomains, trustBundle }, clock);
    expect((await authenticator.authenticate(presented(chain), never)).kind).toBe("authenticated");
    trustBundle.publish((await testRoot()).trustBundle);
    expect((await authenticator.authenticate(presented(chain), never)).kind).toBe("rejected");
  });

  it("cannot tell before there is a trust bundle", async () => {
    const { chain } = await testLeaf(root);
    expect(await authenticate(presented(chain), createSource<TrustBundle>())).toEqual({
      kind: "unavailable",
      reason: "trust-bundle-unavailable",
    });
  });

  it("rejects what is no certificate, and more of them than any honest chain has", async () => {
    const junk = { der: new Uint8Array([0x30, 0x00]) };
    expect(await authenticate(presented([junk]))).toMatchObject({ kind: "rejected", reason: "certificate-malformed" });
    const long = Array.from({ length: 50 }, () => junk);
    expect(await authenticate(presented(long))).toMatchObject({ kind: "rejected", reason: "certificate-untrusted" });
  });
});
