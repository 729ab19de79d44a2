import { FakeClock } from "@signet/runtime/testing";
import { type KeyType, verifyChain, verifyCsr } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { CaError } from "./errors.ts";
import { issueServingCertificate, type ServingCertificateRequest } from "./issue-serving-certificate.ts";
import { type FakeSigningCa, type FakeSigningCaOptions, fakeSigningCa } from "./testing.ts";

const now = new Date("2026-11-01T12:00:00.250Z");
const signal = new AbortController().signal;
const request: ServingCertificateRequest = {
  dnsNames: ["istiod.istio-system.svc", "localhost", "istiod-remote.istio-system.svc", "localhost"],
  ipAddresses: ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"],
  ttlMs: 86_400_000,
};

async function issue(change: Partial<ServingCertificateRequest> = {}, options: FakeSigningCaOptions = {}) {
  const signingCa = await fakeSigningCa(options);
  return { signingCa, issued: await issueUnder(signingCa, change) };
}

function issueUnder(signingCa: FakeSigningCa, change: Partial<ServingCertificateRequest> = {}) {
  return issueServingCertificate({ ...request, ...change }, { signingCa, clock: new FakeClock(now) }, signal);
}

describe("issueServingCertificate", () => {
  it("names the server by sorted unique DNS names and addresses, with an empty subject", async () => {
    const { chain } = (await issue()).issued;
    expect(chain[0].subjectAltNames).toEqual([
      { kind: "dns", value: "istiod-remote.istio-system.svc" },
      { kind: "dns", value: "istiod.istio-system.svc" },
      { kind: "dns", value: "localhost" },
      { kind: "ip", value: "127.0.0.1" },
      { kind: "ip", value: "::1" },
    ]);
    expect(chain[0].subject).toHaveLength(2);
    expect(chain[0].subjectAltNameCritical).toBe(true);
  });

  it("proves possession of the key to a CA elsewhere, with a CSR that asks for none of the names", async () => {
    const { signingCa, issued } = await issue({}, { keyIsLocal: false });
    const [{ csr } = {}] = signingCa.requests;
    expect(csr !== undefined && verifyCsr(csr)).toBe(true);
    expect(Buffer.from(csr?.spki ?? [])).toEqual(Buffer.from(issued.key.spki));
    expect(csr?.requestedSubjectAltNames).toEqual([{ kind: "uri", value: "spiffe://signet.invalid/serving" }]);
    expect(issued.chain[0].subjectAltNames).not.toContainEqual(csr?.requestedSubjectAltNames[0]);
  });

  it("says so when the CA signs no such names", async () => {
    const signingCa = await fakeSigningCa({ keyIsLocal: false });
    signingCa.failWith(new CaError("signer-refused", "role does not allow these names"));
    await expect(issueUnder(signingCa)).rejects.toMatchObject({ code: "signer-refused" });
  });

  it.each([
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ])("writes the address %s as %s", async (text, value) => {
    const { chain } = (await issue({ dnsNames: [], ipAddresses: [text] })).issued;
    expect(chain[0].subjectAltNames).toEqual([{ kind: "ip", value }]);
  });

  it("lower-cases names and takes wildcards", async () => {
    const { chain } = (await issue({ dnsNames: ["*.Example.COM"], ipAddresses: [] })).issued;
    expect(chain[0].subjectAltNames).toEqual([{ kind: "dns", value: "*.example.com" }]);
  });

  it("is valid from two minutes ago for the lifetime asked for, and to be renewed at half of it", async () => {
    const { chain, notAfter, renewAt } = (await issue()).issued;
    expect(chain[0].notBefore.toISOString()).toBe("2026-11-01T11:58:00.000Z");
    expect(notAfter.toISOString()).toBe("2026-11-02T12:00:00.000Z");
    expect(renewAt.toISOString()).toBe("2026-11-02T00:00:00.125Z");
  });

  it("never outlives what the signing CA can vouch for", async () => {
    const { issued } = await issue({ ttlMs: 315_360_000_000 }, { notAfter: new Date("2026-11-01T13:00:00Z") });
    expect(issued.notAfter.toISOString()).toBe("2026-11-01T13:00:00.000Z");
    expect(issued.renewAt.toISOString()).toBe("2026-11-01T12:30:00.125Z");
  });

  it.each<{ ca: KeyType; info: object }>([
    { ca: "P-256", info: { kind: "ec", curve: "P-256" } },
    { ca: "P-384", info: { kind: "ec", curve: "P-384" } },
    { ca: "P-521", info: { kind: "ec", curve: "P-256" } },
    { ca: "RSA-3072", info: { kind: "rsa", bits: 2048 } },
    { ca: "Ed25519", info: { kind: "ec", curve: "P-256" } },
  ])("makes the key that goes with a $ca CA", async ({ ca, info }) => {
    const { signingCa, issued } = await issue({}, { keyType: ca });
    expect(issued.key.info).toEqual(info);
    expect(Buffer.from(issued.chain[0].spki)).toEqual(Buffer.from(issued.key.spki));
    const roots = signingCa.trustBundle.current()?.authorities ?? [];
    expect(verifyChain({ chain: issued.chain, roots, at: now, extendedKeyUsage: "serverAuth" }).kind).toBe("verified");
  });

  it.each<{ name: string; change: Partial<ServingCertificateRequest> }>([
    { name: "no name at all", change: { dnsNames: [], ipAddresses: [] } },
    { name: "an empty name", change: { dnsNames: [""] } },
    { name: "an address as a DNS name", change: { dnsNames: ["127.0.0.1"] } },
    { name: "a port", change: { dnsNames: ["localhost:15012"] } },
    { name: "a comma", change: { dnsNames: ["a,b"] } },
    { name: "a space", change: { dnsNames: ["a b"] } },
    { name: "a NUL", change: { dnsNames: ["a\0.example"] } },
    { name: "a trailing dot", change: { dnsNames: ["example.com."] } },
    { name: "a SPIFFE ID as a DNS name", change: { dnsNames: ["spiffe://cluster.local/ns/a/sa/b"] } },
    { name: "a name of 254 characters", change: { dnsNames: [`${"a.".repeat(126)}aa`] } },
    { name: "a name as an address", change: { ipAddresses: ["localhost"] } },
    { name: "an address with a zone", change: { ipAddresses: ["fe80::1%eth0"] } },
    { name: "a network", change: { ipAddresses: ["10.0.0.0/8"] } },
  ])("refuses $name", async ({ change }) => {
    await expect(issue(change)).rejects.toMatchObject({ code: "serving-name-malformed" });
  });

  it("says when the signing CA is not ready, has expired or fails", async () => {
    const signingCa = await fakeSigningCa();
    signingCa.setNotAfterLimit(undefined);
    await expect(issueUnder(signingCa)).rejects.toMatchObject({ code: "ca-not-ready" });
    signingCa.setNotAfterLimit(now);
    await expect(issueUnder(signingCa)).rejects.toMatchObject({ code: "ca-expired" });
    signingCa.setNotAfterLimit(new Date("2030-01-01"));
    signingCa.failWith(new Error("sealed"));
    await expect(issueUnder(signingCa)).rejects.toMatchObject({ code: "signing-failed" });
  });

  it("is checked before it is used", async () => {
    const other = await issue();
    const faulty = await fakeSigningCa({ alter: () => other.issued.chain });
    await expect(issueUnder(faulty)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });
});
