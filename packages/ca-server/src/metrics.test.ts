import type { SigningCaHealth } from "@signet/ca";
import { type FakeSigningCa, fakeSigningCa } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { createMetrics, createSource, type Metrics } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseCertificates } from "@signet/x509";
import { beforeEach, describe, expect, it } from "vitest";
import { type CaServerMetrics, createCaServerMetrics } from "./metrics.ts";

let clock: FakeClock;
let signingCa: FakeSigningCa;
let registry: Metrics;
let metrics: CaServerMetrics;

beforeEach(async () => {
  clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
  signingCa = await fakeSigningCa({ notAfter: new Date("2026-01-02T00:00:00Z") });
  registry = createMetrics();
  metrics = createCaServerMetrics(registry, { signingCa, clock, version: "0.1.0" });
});

/** The samples whose name begins so, as `name{labels} value`. */
async function samples(prefix: string): Promise<string[]> {
  return (await registry.text()).split("\n").filter((line) => line.startsWith(prefix));
}

describe("the CA server's metrics", () => {
  it("are there from the start, by istiod's names", async () => {
    expect(await samples("citadel_server_")).toEqual([
      "citadel_server_csr_count 0",
      "citadel_server_authentication_failure_count 0",
      "citadel_server_csr_parsing_err_count 0",
      "citadel_server_id_extraction_err_count 0",
      "citadel_server_success_cert_issuance_count 0",
      ...["CA_NOT_READY", "CSR_ERROR", "TTL_ERROR", "CERT_GEN_ERROR"].map(
        (type) => `citadel_server_csr_sign_err_count{error="${type}"} 0`,
      ),
      "citadel_server_root_cert_expiry_timestamp 1767312000",
      "citadel_server_root_cert_expiry_seconds 86400",
    ]);
    expect(await samples("pilot_info")).toEqual(['pilot_info{version="0.1.0"} 1']);
  });

  it("count what happened", async () => {
    metrics.csrReceived();
    metrics.authenticationFailed();
    metrics.signFailed("TTL_ERROR");
    metrics.csrParsingFailed();
    metrics.issued();
    expect((await samples("citadel_server_")).filter((line) => line.endsWith(" 1"))).toHaveLength(5);
  });

  it("tell the expiry as it is at the scrape", async () => {
    await clock.advance(2 * 86_400_000);
    expect(await samples("citadel_server_root_cert_expiry_seconds")).toEqual([
      "citadel_server_root_cert_expiry_seconds -86400",
    ]);
    expect(await samples("istiod_uptime_seconds")).toEqual(["istiod_uptime_seconds 172800"]);
    const later = (await fakeSigningCa({ notAfter: new Date("2026-02-01T00:00:00Z") })).trustBundle.current();
    if (later !== undefined) signingCa.trustBundle.publish(later);
    expect(await samples("citadel_server_root_cert_expiry_timestamp")).toEqual([
      "citadel_server_root_cert_expiry_timestamp 1769904000",
    ]);
  });

  it("tell the expiry of the chain where there is one", async () => {
    const chain = parseCertificates(signingCa.trustBundle.current()?.pem ?? "");
    registry = createMetrics();
    createCaServerMetrics(registry, { signingCa: { ...signingCa, chain: () => chain }, clock, version: "0.1.0" });
    expect(await samples("citadel_server_cert_chain_expiry")).toEqual([
      "citadel_server_cert_chain_expiry_timestamp 1767312000",
      "citadel_server_cert_chain_expiry_seconds 86400",
    ]);
  });

  it("record RPCs as go-grpc-prometheus does", async () => {
    const service = "istio.v1.auth.IstioCertificateService";
    const create = { service, method: "CreateCertificate", type: "unary" } as const;
    const watch = { service: "grpc.health.v1.Health", method: "Watch", type: "server_stream" } as const;
    metrics.callStarted(create);
    metrics.messagePassed({ ...create, direction: "received" });
    metrics.callFinished({ ...create, code: Status.INVALID_ARGUMENT, durationMs: 7 });
    metrics.messagePassed({ ...watch, direction: "sent" });
    metrics.messagePassed({ ...watch, direction: "sent" });
    metrics.callFinished({ ...watch, code: Status.CANCELLED, durationMs: 7 });
    const call = `grpc_type="unary",grpc_service="${service}",grpc_method="CreateCertificate"`;
    expect(await samples("grpc_server_handled_total")).toContain(
      `grpc_server_handled_total{${call},grpc_code="InvalidArgument"} 1`,
    );
    expect(await samples('grpc_server_handling_seconds_bucket{le="0.01"')).toContain(
      `grpc_server_handling_seconds_bucket{le="0.01",${call}} 1`,
    );
    expect((await samples("grpc_server_handled_total")).join()).toContain('grpc_type="server_stream"');
    expect(await samples("grpc_server_started_total")).toEqual([`grpc_server_started_total{${call}} 1`]);
    expect(await samples("grpc_server_msg_received_total")).toEqual([`grpc_server_msg_received_total{${call}} 1`]);
    expect((await samples("grpc_server_msg_sent_total")).join()).toMatch(/grpc_type="server_stream".* 2$/);
  });

  it("tell how the signing CA does", async () => {
    const states = async () =>
      (await samples("signet_signing_ca_")).map((line) => line.slice("signet_signing_ca_".length));
    expect(await states()).toEqual(["good 1", "degraded 0", "failing 0"]);
    registry = createMetrics();
    const health = createSource<SigningCaHealth>({ state: "degraded", reason: "standby-signs" });
    createCaServerMetrics(registry, { signingCa: { ...signingCa, health }, clock, version: "0.1.0" });
    expect(await states()).toEqual(["good 0", "degraded 1", "failing 0"]);
  });
});
