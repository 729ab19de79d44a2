import { CaError, type SigningCa } from "@signet/ca";
import { buildTestCsr, fakeAuthenticator, fakeSigningCa } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { parseSpiffeId } from "@signet/spiffe";
import { generateKeyPair } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { type BenchCall, callCertificateService } from "./testing/certificate-bench.ts";

/** One condition: istiod's code, ours where it is another (`docs/compatibility.md` says why), the words and the counter. */
type Row = {
  readonly istiod: Status;
  readonly ours?: Status;
  readonly message: RegExp;
  readonly counted: string;
  readonly call: () => Promise<BenchCall>;
};

const key = await generateKeyPair("P-256");
const opaque = /^request authenticate failure$/;
const refused = /^request impersonation authentication failure$/;
const wrapped = /^CSR signing error \(.+\)$/;
const asks = { ImpersonatedIdentity: "spiffe://cluster.local/ns/demo/sa/backend" };
const callers = "authentication_failure_count";
const signing = (type: string) => `csr_sign_err_count{error="${type}"}`;

const proxy = fakeAuthenticator("kubernetes-token", {
  kind: "authenticated",
  caller: {
    spiffeId: parseSpiffeId("spiffe://cluster.local/ns/istio-system/sa/ztunnel"),
    source: "token",
    kubernetes: {
      ...{ namespace: "istio-system", serviceAccount: "ztunnel", podName: "z", podUid: "u" },
      clusterId: "Kubernetes",
    },
  },
});
const trusted = { trustedNodeAccounts: new Set(["istio-system/ztunnel"]) };

/** A signing CA that answers as a signer of the cluster, or Vault, would. */
async function failing(error: CaError): Promise<SigningCa> {
  const signingCa = await fakeSigningCa({ keyIsLocal: false });
  signingCa.failWith(error);
  return signingCa;
}

const rows: Readonly<Record<string, Row>> = {
  "no credential": {
    ...{ istiod: Status.UNAUTHENTICATED, message: opaque, counted: callers },
    call: async () => ({ authenticators: [fakeAuthenticator("a", { kind: "not-applicable" })] }),
  },
  "an invalid credential": {
    ...{ istiod: Status.UNAUTHENTICATED, message: opaque, counted: callers },
    call: async () => ({ authenticators: [fakeAuthenticator("a", { kind: "rejected", reason: "token-expired" })] }),
  },
  "a credential of which nobody can tell now": {
    ...{ istiod: Status.UNAUTHENTICATED, ours: Status.UNAVAILABLE },
    ...{ message: /^request authentication is not available now$/, counted: callers },
    call: async () => ({
      authenticators: [
        fakeAuthenticator("a", { kind: "unavailable", reason: "api-server-unavailable" }),
        fakeAuthenticator("b", { kind: "rejected", reason: "token-expired" }),
      ],
    }),
  },
  "a plaintext transport": {
    ...{ istiod: Status.UNAUTHENTICATED, message: opaque, counted: callers },
    call: async () => ({ peer: { transport: "plaintext" } }),
  },
  "zero authenticators": {
    ...{ istiod: Status.UNAUTHENTICATED, message: opaque, counted: callers },
    call: async () => ({ authenticators: [] }),
  },
  "impersonation without trusted node accounts": {
    ...{ istiod: Status.UNAUTHENTICATED, message: refused, counted: callers },
    call: async () => ({ authenticators: [proxy], metadata: asks }),
  },
  "impersonation of what is no identity": {
    ...{ istiod: Status.UNAUTHENTICATED, message: refused, counted: callers },
    call: async () => ({ authenticators: [proxy], metadata: { ImpersonatedIdentity: "x" }, impersonation: trusted }),
  },
  "impersonation by a caller without a pod": {
    ...{ istiod: Status.UNAUTHENTICATED, message: refused, counted: callers },
    call: async () => ({ metadata: asks, impersonation: trusted }),
  },
  "impersonation before pods are known": {
    ...{ istiod: Status.UNAUTHENTICATED, ours: Status.UNAVAILABLE },
    ...{ message: /^request impersonation authentication is not available now$/, counted: callers },
    call: async () => {
      const pods = { ready: () => false, pod: () => undefined, podsOn: () => [] };
      return { authenticators: [proxy], metadata: asks, impersonation: { ...trusted, podIndexOf: () => pods } };
    },
  },
  "a CSR that is no PEM": {
    ...{ istiod: Status.INVALID_ARGUMENT, message: wrapped, counted: signing("CSR_ERROR") },
    call: async () => ({ csr: "hello" }),
  },
  "a CSR whose DER cannot be read": {
    ...{ istiod: Status.INVALID_ARGUMENT, message: wrapped, counted: signing("CSR_ERROR") },
    call: async () => ({ csr: "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n" }),
  },
  "a CSR whose signature is bad": {
    ...{ istiod: Status.INVALID_ARGUMENT, message: wrapped, counted: signing("CSR_ERROR") },
    call: async () => ({ csr: buildTestCsr({ key, signedBy: await generateKeyPair("P-256") }) }),
  },
  "a requested lifetime above the maximum": {
    ...{ istiod: Status.INVALID_ARGUMENT, counted: signing("TTL_ERROR") },
    message: /^CSR signing error \(requested lifetime 2h0m1s exceeds 2h0m0s\)$/,
    call: async () => ({ validityDuration: 7_201n }),
  },
  "RA: a CSR of another shape or other names": {
    ...{ istiod: Status.INVALID_ARGUMENT, message: wrapped, counted: signing("CSR_ERROR") },
    call: async () => ({ signingCa: await failing(new CaError("csr-malformed", "CSR asks for other names")) }),
  },
  "RA: a lifetime below what Kubernetes signs": {
    ...{ istiod: Status.INTERNAL, ours: Status.INVALID_ARGUMENT, counted: signing("TTL_ERROR") },
    message: /^CSR signing error \(.*600.*\)$/,
    call: async () => ({
      signingCa: await failing(new CaError("lifetime-unsupported", "a lifetime is at least 600s")),
    }),
  },
  "RA: no usable root for the signer": {
    ...{ istiod: Status.INVALID_ARGUMENT, ours: Status.INTERNAL, message: wrapped, counted: signing("CERT_GEN_ERROR") },
    call: async () => ({ signingCa: await failing(new CaError("issued-svid-mismatch", "leads to no root")) }),
  },
  "a CA without a signing certificate": {
    ...{ istiod: Status.INTERNAL, ours: Status.UNAVAILABLE, message: wrapped, counted: signing("CA_NOT_READY") },
    call: async () => {
      const signingCa = await fakeSigningCa();
      signingCa.setNotAfterLimit(undefined);
      return { signingCa };
    },
  },
  "a certificate that cannot be made": {
    ...{ istiod: Status.INTERNAL, message: wrapped, counted: signing("CERT_GEN_ERROR") },
    call: async () => ({ signingCa: await failing(new CaError("signing-failed", "no")) }),
  },
  "a signing certificate that has expired": {
    ...{ istiod: Status.INTERNAL, message: wrapped, counted: signing("CERT_GEN_ERROR") },
    call: async () => {
      const signingCa = await fakeSigningCa();
      signingCa.setNotAfterLimit(new Date(0));
      return { signingCa };
    },
  },
  "RA: the CSR API refuses": {
    ...{ istiod: Status.INTERNAL, message: wrapped, counted: signing("CERT_GEN_ERROR") },
    call: async () => ({ signingCa: await failing(new CaError("signer-refused", "request was denied")) }),
  },
  "RA: the CSR API is away or too slow": {
    ...{ istiod: Status.INTERNAL, ours: Status.UNAVAILABLE, message: wrapped, counted: signing("CA_NOT_READY") },
    call: async () => ({ signingCa: await failing(new CaError("signer-unavailable", "no answer")) }),
  },
  "RA: a signer is named and there is no domain for it": {
    ...{ istiod: Status.INTERNAL, message: wrapped, counted: signing("CERT_GEN_ERROR") },
    call: async () => ({
      metadata: { CertSigner: "mesh" },
      signerFor: async () => {
        throw new CaError("signer-refused", "caller names a signer, and there is no domain");
      },
    }),
  },
};

describe("every row of istiod's error matrix", () => {
  it.each(Object.entries(rows))("%s", async (_, { istiod, ours = istiod, message, counted, call }) => {
    const answer = await callCertificateService(await call());
    expect(answer.code).toBe(ours);
    expect(answer.message).toMatch(message);
    expect(answer.counted).toEqual(expect.arrayContaining(["csr_count", counted]));
    expect(answer.counted).not.toContain("success_cert_issuance_count");
    expect(answer.log).toHaveLength(1);
  });

  it("and a lifetime of nothing or less, which is the default one", async () => {
    for (const validityDuration of [0n, -1n]) {
      const { code, leaf } = await callCertificateService({ validityDuration });
      expect(code).toBe("OK");
      expect(leaf && leaf.notAfter.getTime() - leaf.notBefore.getTime()).toBe(3_600_000 + 120_000);
    }
  });
});
