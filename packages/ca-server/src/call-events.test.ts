import { type AuthenticationOutcome, CaError, type Caller, type PresentedCredentials } from "@signet/ca";
import { fakeSigningCa } from "@signet/ca/testing";
import { createMetrics, type Metrics } from "@signet/runtime";
import { FakeClock, type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { beforeEach, describe, expect, it } from "vitest";
import { type CallEvents, createCallEvents } from "./call-events.ts";
import { createCaServerMetrics } from "./metrics.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const caller: Caller = { spiffeId, source: "token" };
const peerAddress = "192.0.2.1:4711";
const presented: PresentedCredentials = {
  peerAddress,
  transport: "tls",
  clusterId: "east",
  bearerToken: "secret-token",
  clientCertificateChain: [Buffer.from("secret-certificate")],
};
const signingCa = await fakeSigningCa();

let logger: FakeLogger;
let registry: Metrics;
let events: CallEvents;

beforeEach(() => {
  logger = fakeLogger();
  registry = createMetrics();
  events = createCallEvents(
    logger,
    createCaServerMetrics(registry, { signingCa, clock: new FakeClock(), version: "1" }),
  );
});

describe("call events", () => {
  it("log a refused caller with what every authenticator found, and with no credential", async () => {
    const outcome: Extract<AuthenticationOutcome, { kind: "refused" }> = {
      kind: "refused",
      reason: "credential-rejected",
      retryable: false,
      attempts: [
        { authenticator: "a", result: { kind: "not-applicable" } },
        { authenticator: "b", result: { kind: "rejected", reason: "token-expired", cause: "token expired 5s ago" } },
        { authenticator: "c", result: { kind: "unavailable", reason: "authenticator-failed", cause: new Error("x") } },
      ],
    };
    events.callerRefused({ presented, outcome });
    expect(logger.lines).toEqual([
      {
        level: "warn",
        message: "caller refused",
        fields: {
          reason: "credential-rejected",
          attempts: [
            { authenticator: "a", result: "not-applicable" },
            { authenticator: "b", result: "rejected", reason: "token-expired", detail: "token expired 5s ago" },
            { authenticator: "c", result: "unavailable", reason: "authenticator-failed", detail: "x" },
          ],
          clusterId: "east",
          peerAddress,
          transport: "tls",
        },
      },
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain("secret");
    expect(await registry.text()).toContain("\ncitadel_server_authentication_failure_count 1\n");
  });

  it("log an issued certificate with its caller, its serial number and who knew the caller", async () => {
    const issued = {
      ...{ caller, signingCa: "self-signed", serialNumber: "0a", notAfter: new Date(1000), durationMs: 3 },
      ...{ notBefore: new Date(0), publicKeyInfo: { kind: "ed25519" } as const },
    };
    events.issuance({ authenticator: "oidc-token", peerAddress }).issued(issued);
    const { notBefore: _, publicKeyInfo: __, caller: ___, ...rest } = issued;
    const fields = { ...rest, impersonator: undefined };
    expect(logger.lines).toEqual([
      {
        level: "info",
        message: "certificate issued",
        fields: { ...fields, spiffeId, authenticator: "oidc-token", peerAddress },
      },
    ]);
    expect(await registry.text()).toContain("\ncitadel_server_success_cert_issuance_count 1\n");
  });

  it("log a refused certificate with its code and its cause", async () => {
    const error = new CaError("signing-failed", "fake CA could not sign", { cause: new Error("sealed") });
    const refused = { caller, signingCa: "fake", code: error.code, error, durationMs: 3 };
    events.issuance({ authenticator: "client-certificate", peerAddress }).refused(refused);
    expect(logger.lines).toMatchObject([
      {
        level: "warn",
        message: "certificate refused",
        fields: { spiffeId, code: "signing-failed", error, authenticator: "client-certificate", peerAddress },
      },
    ]);
    expect(await registry.text()).toContain('\ncitadel_server_csr_sign_err_count{error="CERT_GEN_ERROR"} 1\n');
  });
});
