import { create, type JsonObject } from "@bufbuild/protobuf";
import type { Admission, Authenticator, ImpersonationPolicy, SigningCa } from "@signet/ca";
import { fakeAuthenticator, fakeSigningCa } from "@signet/ca/testing";
import { type CallContext, metadataFrom, type Peer, type Status, StatusError } from "@signet/grpc";
import { IstioCertificateRequestSchema } from "@signet/protos/istio/security/v1alpha1/ca";
import { type Clock, createMetrics, type Metrics } from "@signet/runtime";
import { FakeClock, type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "@signet/spiffe";
import { type Certificate, createCsr, generateKeyPair, parseCertificates } from "@signet/x509";
import { createCallEvents } from "../call-events.ts";
import { createCertificateHandler } from "../certificate-service.ts";
import { createCaServerMetrics } from "../metrics.ts";

/** One call of CreateCertificate and the server it meets; what is left out is good. */
export type BenchCall = {
  readonly csr?: string;
  readonly validityDuration?: bigint;
  readonly metadata?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly peer?: Partial<Peer>;
  readonly authenticators?: readonly Authenticator[];
  readonly signingCa?: SigningCa;
  readonly signerFor?: (certSigner: string) => Promise<SigningCa>;
  readonly admission?: Admission;
  readonly impersonation?: Partial<ImpersonationPolicy>;
  readonly clock?: Clock;
};

/** What came of it. */
export type BenchAnswer = {
  readonly code: Status | "OK";
  readonly message: string;
  readonly chain: readonly string[];
  readonly leaf: Certificate | undefined;
  readonly log: FakeLogger["lines"];
  /** Counters that are not zero, as `name` or `name{labels}`. */
  readonly counted: readonly string[];
};

/** The caller of calls that name no authenticators. */
export const frontend: SpiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

/** Calls the RPC as a client would, without a wire, on a server of its own. */
export async function callCertificateService(call: BenchCall): Promise<BenchAnswer> {
  const { clock = new FakeClock() } = call;
  const signingCa = call.signingCa ?? (await fakeSigningCa());
  const logger = fakeLogger();
  const registry = createMetrics();
  const handler = createCertificateHandler({
    authenticators: call.authenticators ?? [fakeAuthenticator("token", known)],
    impersonation: {
      ...{ trustedNodeAccounts: new Set<string>(), trustDomain: parseTrustDomain("cluster.local") },
      podIndexOf: () => undefined,
      ...call.impersonation,
    },
    signingCa,
    ...(call.signerFor !== undefined && { signerFor: call.signerFor }),
    ...(call.admission !== undefined && { admission: call.admission }),
    limits: { defaultTtlMs: 3_600_000, maxTtlMs: 7_200_000 },
    deadlineMs: 60_000,
    clock,
    events: createCallEvents(logger, createCaServerMetrics(registry, { signingCa, clock, version: "1" })),
  });
  const request = create(IstioCertificateRequestSchema, {
    csr: call.csr ?? createCsr({ key: await generateKeyPair("P-256"), spiffeId: frontend }),
    validityDuration: call.validityDuration ?? 0n,
    ...(call.metadata !== undefined && { metadata: call.metadata }),
  });
  const context: CallContext = {
    signal: new AbortController().signal,
    metadata: metadataFrom({ ...call.headers }),
    peer: { address: "192.0.2.1:4711", transport: "tls", ...call.peer },
  };
  const outcome = await handler(request, context).then(
    ({ certChain = [] }) => ({ code: "OK" as const, message: "", chain: certChain }),
    (error: unknown) => {
      if (!(error instanceof StatusError)) throw error;
      return { code: error.code, message: error.message, chain: [] };
    },
  );
  const [leaf] = outcome.chain.flatMap((pem) => parseCertificates(pem));
  return { ...outcome, leaf, log: logger.lines, counted: await countedIn(registry) };
}

const known = { kind: "authenticated", caller: { spiffeId: frontend, source: "token" } } as const;

async function countedIn(registry: Metrics): Promise<readonly string[]> {
  return (await registry.text())
    .split("\n")
    .filter((line) => /^citadel_server_\w+_count(\{.*\})? [1-9]/.test(line))
    .map((line) => line.slice(0, line.lastIndexOf(" ")).slice("citadel_server_".length));
}
