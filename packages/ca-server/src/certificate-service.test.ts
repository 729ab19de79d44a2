import { create, type JsonObject } from "@bufbuild/protobuf";
import type { AuthenticationResult, Authenticator, SigningCa } from "@signet/ca";
import { buildTestCsr, type FakeSigningCa, fakeAuthenticator, fakeSigningCa } from "@signet/ca/testing";
import { type CallContext, metadataFrom, Status, StatusError } from "@signet/grpc";
import { IstioCertificateRequestSchema } from "@signet/protos/istio/security/v1alpha1/ca";
import { createMetrics, type Metrics } from "@signet/runtime";
import { FakeClock, type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCertificates } from "@signet/x509";
import { beforeEach, describe, expect, it } from "vitest";
import { type CallEvents, createCallEvents } from "./call-events.ts";
import { createCertificateHandler } from "./certificate-service.ts";
import { createCaServerMetrics } from "./metrics.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const known: AuthenticationResult = { kind: "authenticated", caller: { spiffeId, source: "token" } };
const key = await generateKeyPair("P-256");
const csr = createCsr({ key, spiffeId });
const trustDomain = parseTrustDomain("cluster.local");
const limits = { defaultTtlMs: 3_600_000, maxTtlMs: 7_200_000 };

let clock: FakeClock;
let signingCa: FakeSigningCa;
let logger: FakeLogger;
let registry: Metrics;
let events: CallEvents;

beforeEach(async () => {
  clock = new FakeClock();
  signingCa = await fakeSigningCa();
  logger = fakeLogger();
  registry = createMetrics();
  events = createCallEvents(logger, createCaServerMetrics(registry, { signingCa, clock, version: "1" }));
});

type Call = {
  readonly csr?: string;
  readonly validityDuration?: bigint;
  readonly metadata?: JsonObject;
  readonly headers?: Record<string, string>;
  readonly authenticators?: readonly Authenticator[];
  readonly signingCa?: SigningCa;
  readonly signal?: AbortSignal;
  readonly transport?: "tls" | "plaintext";
};

async function call(options: Call = {}): Promise<string[]> {
  const signer = options.signingCa ?? signingCa;
  const handler = createCertificateHandler({
    authenticators: options.authenticators ?? [fakeAuthenticator("token", known)],
    impersonation: { trustedNodeAccounts: new Set(["istio-system/ztunnel"]), trustDomain, podIndexOf: () => undefined },
    signingCa: signer,
    limits,
    deadlineMs: 60_000,
    clock,
    events,
  });
  const request = create(IstioCertificateRequestSchema, {
    csr: options.csr ?? csr,
    validityDuration: options.validityDuration ?? 0n,
    ...(options.metadata !== undefined && { metadata: options.metadata }),
  });
  const context: CallContext = {
    signal: options.signal ?? new AbortController().signal,
    metadata: metadataFrom(options.headers ?? {}),
    peer: { address: "192.0.2.1:4711", transport: options.transport ?? "tls" },
  };
  const response = await handler(request, context);
  return response.certChain ?? [];
}

async function refusal(options: Call): Promise<StatusError> {
  try {
    await call(options);
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("a certificate was issued");
}

async function counted(name: string): Promise<number | undefined> {
  const line = (await registry.text()).split("\n").find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(" ")[1]);
}

describe("CreateCertificate", () => {
  it("answers a self-signed CA's leaf, then its trust bundle verbatim", async () => {
    const [leaf = "", root, ...rest] = await call();
    expect(rest).toEqual([]);
    expect(leaf).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/);
    expect(root).toBe(signingCa.trustBundle.current()?.pem);
    const [certificate] = parseCertificates(leaf);
    expect(certificate?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(await counted("citadel_server_csr_count")).toBe(1);
    expect(await counted("citadel_server_success_cert_issuance_count")).toBe(1);
  });

  it("answers each certificate of a chain in an element of its own, and several roots as one", async () => {
    const state = signingCa.trustBundle.current()?.pem ?? "";
    const other = (await fakeSigningCa()).trustBundle.current()?.pem ?? "";
    const chain = {
      ...signingCa,
      async sign(...args: Parameters<SigningCa["sign"]>) {
        const [leaf] = await signingCa.sign(...args);
        return [leaf, ...parseCertificates(state)] as const;
      },
    };
    const bundle = signingCa.trustBundle.current();
    if (bundle === undefined) throw new Error("no trust bundle");
    const pem = `# old and new\n${state}\n\n${other}`;
    signingCa.trustBundle.publish({ ...bundle, pem });
    const elements = await call({ signingCa: { ...chain, trustBundle: signingCa.trustBundle } });
    expect(elements).toHaveLength(3);
    expect(elements.slice(0, 2).map((element) => parseCertificates(element).length)).toEqual([1, 1]);
    expect(elements[2]).toBe(pem);
  });

  it.each<[string, bigint]>([
    ["above the maximum", 7_201n],
    ["that wraps in nanoseconds", 10_000_000_000n],
    ["near 2^63", 2n ** 63n - 1n],
  ])("refuses a lifetime %s", async (_, validityDuration) => {
    const { code, message } = await refusal({ validityDuration });
    expect(code).toBe(Status.INVALID_ARGUMENT);
    expect(message).toMatch(/^CSR signing error \(requested lifetime .* exceeds 2h0m0s\)$/);
    expect(await counted('citadel_server_csr_sign_err_count{error="TTL_ERROR"}')).toBe(1);
  });

  it("signs the caller's name and nothing that the CSR asks for", async () => {
    const greedy = buildTestCsr({
      key,
      organization: "system:masters",
      subjectAltNames: [
        { kind: "uri", value: "spiffe://cluster.local/ns/kube-system/sa/admin" },
        { kind: "dns", value: "istiod.istio-system.svc" },
      ],
      ca: true,
    });
    const [leaf = ""] = await call({ csr: greedy });
    const [certificate] = parseCertificates(leaf);
    expect(certificate?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(certificate?.isCa).toBe(false);
  });

  it("refuses a CSR that is too large, which is a parsing error", async () => {
    const { code, message } = await refusal({ csr: "x".repeat(200_000) });
    expect(code).toBe(Status.INVALID_ARGUMENT);
    expect(message).toBe("CSR signing error (the CSR exceeds 65536 bytes)");
    expect(await counted("citadel_server_csr_parsing_err_count")).toBe(1);
  });

  it("refuses a CSR that proves no possession, which is not a parsing error", async () => {
    const stolen = buildTestCsr({ key, signedBy: await generateKeyPair("P-256") });
    const { code, message } = await refusal({ csr: stolen });
    expect(code).toBe(Status.INVALID_ARGUMENT);
    expect(message).toBe("CSR signing error (the CSR is not signed with its own key)");
    expect(await counted("citadel_server_csr_parsing_err_count")).toBe(0);
  });

  it("answers INTERNAL when signing fails and keeps the cause to itself", async () => {
    signingCa.failWith(new Error("PIN 1234 was refused by 10.0.0.7"));
    const { code, message } = await refusal({});
    expect(code).toBe(Status.INTERNAL);
    expect(message).toBe("CSR signing error (the certificate cannot be signed)");
    expect(await counted('citadel_server_csr_sign_err_count{error="CERT_GEN_ERROR"}')).toBe(1);
  });

  it("answers UNAVAILABLE while the CA is not ready, and INTERNAL once it has expired", async () => {
    signingCa.setNotAfterLimit(undefined);
    expect((await refusal({})).code).toBe(Status.UNAVAILABLE);
    expect(await counted('citadel_server_csr_sign_err_count{error="CA_NOT_READY"}')).toBe(1);
    signingCa.setNotAfterLimit(clock.now());
    expect((await refusal({})).code).toBe(Status.INTERNAL);
  });

  it("lets a bug through to the server, which tells the client nothing", async () => {
    const broken = {
      ...signingCa,
      notAfterLimit: () => {
        throw new TypeError("oops");
      },
    };
    await expect(call({ signingCa: broken })).rejects.toThrow(TypeError);
  });
});

describe("the caller", () => {
  const rejected: AuthenticationResult = { kind: "rejected", reason: "token-expired", cause: "token expired 5s ago" };
  const unavailable: AuthenticationResult = { kind: "unavailable", reason: "keys-unavailable" };
  const absent: AuthenticationResult = { kind: "not-applicable" };

  it.each<[string, readonly AuthenticationResult[], Status, string]>([
    ["nobody knows", [absent, rejected], Status.UNAUTHENTICATED, "request authenticate failure"],
    ["nobody is there to know", [], Status.UNAUTHENTICATED, "request authenticate failure"],
    [
      "somebody may know later",
      [unavailable, rejected],
      Status.UNAVAILABLE,
      "request authentication is not available now",
    ],
  ])("that %s gets no certificate", async (_, results, code, message) => {
    const authenticators = results.map((result, index) => fakeAuthenticator(`authenticator-${index}`, result));
    const error = await refusal({ authenticators });
    expect([error.code, error.message]).toEqual([code, message]);
    expect(await counted("citadel_server_authentication_failure_count")).toBe(1);
    expect(signingCa.requests).toEqual([]);
  });

  it("that shows a token in the clear gets no certificate", async () => {
    expect((await refusal({ transport: "plaintext" })).code).toBe(Status.UNAUTHENTICATED);
  });

  it("is logged, and its token never", async () => {
    const headers = { authorization: "Bearer secret-token" };
    await call({ headers });
    await refusal({ headers, authenticators: [fakeAuthenticator("token", rejected)] });
    expect(logger.lines.map(({ message }) => message)).toEqual(["certificate issued", "caller refused"]);
    expect(JSON.stringify(logger.lines)).not.toContain("secret-token");
  });

  it("cannot ask for somebody else's certificate", async () => {
    const metadata = { ImpersonatedIdentity: "spiffe://cluster.local/ns/demo/sa/backend" };
    const { code, message } = await refusal({ metadata });
    expect(code).toBe(Status.UNAUTHENTICATED);
    expect(message).toBe("request impersonation authentication failure");
    expect(await counted("citadel_server_authentication_failure_count")).toBe(1);
    expect(logger.lines).toMatchObject([{ message: "impersonation refused", fields: { spiffeId } }]);
    expect(signingCa.requests).toEqual([]);
  });

  it.each<[string, Record<string, string | number>]>([
    ["an empty impersonation", { ImpersonatedIdentity: "" }],
    ["a CertSigner, of which there is one", { CertSigner: "example.com/signer" }],
    ["an empty CertSigner", { CertSigner: "" }],
    ["a CertSigner that is no text", { CertSigner: 7 }],
    ["metadata of other writing", { impersonatedidentity: "x", WorkloadName: "y" }],
  ])("is served in spite of %s", async (_, metadata) => {
    expect(await call({ metadata })).toHaveLength(2);
  });

  it("that hangs up gets its own reason back", async () => {
    const gone = AbortSignal.abort(new StatusError(Status.CANCELLED, "the call is over"));
    expect((await refusal({ signal: gone })).code).toBe(Status.CANCELLED);
    expect(signingCa.requests).toEqual([]);
  });
});
