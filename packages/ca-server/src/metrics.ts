import type { SigningCa } from "@signet/ca";
import type { Status } from "@signet/grpc";
import type { Clock, Metrics } from "@signet/runtime";
import type { Certificate } from "@signet/x509";
import type { SignErrorType } from "./status.ts";

/** One finished RPC of any service. */
export type FinishedCall = {
  readonly service: string;
  readonly method: string;
  readonly code: Status;
  readonly durationMs: number;
};

/** The CA server's metrics by what happened. */
export interface CaServerMetrics {
  csrReceived(): void;
  authenticationFailed(): void;
  signFailed(type: SignErrorType): void;
  csrParsingFailed(): void;
  issued(): void;
  callFinished(call: FinishedCall): void;
}

/** Seconds; those of istiod's handling-time histogram. */
const handlingBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Registers istiod's metrics of the CA, name for name, so that dashboards and alerts for istiod read this server. */
export function createCaServerMetrics(
  metrics: Metrics,
  about: { readonly signingCa: SigningCa; readonly clock: Clock; readonly version: string },
): CaServerMetrics {
  const counters = createIssuanceCounters(metrics);
  registerExpiryGauges(metrics, about);
  registerProcessGauges(metrics, about);
  return {
    csrReceived: () => counters.csr.add({}),
    authenticationFailed: () => counters.authenticationFailure.add({}),
    signFailed: (type) => counters.signError.add({ error: type }),
    csrParsingFailed: () => counters.parsingError.add({}),
    issued: () => counters.issuance.add({}),
    callFinished: createCallRecorder(metrics),
  };
}

function createIssuanceCounters(metrics: Metrics) {
  const counters = {
    csr: metrics.counter("citadel_server_csr_count", "CSRs received"),
    authenticationFailure: metrics.counter(
      "citadel_server_authentication_failure_count",
      "calls whose caller was not authenticated",
    ),
    parsingError: metrics.counter("citadel_server_csr_parsing_err_count", "CSRs that could not be read"),
    // istiod registers it and never counts; here too a caller without an identity is an authentication failure.
    idExtraction: metrics.counter("citadel_server_id_extraction_err_count", "never incremented, as in istiod"),
    issuance: metrics.counter("citadel_server_success_cert_issuance_count", "certificates issued"),
  };
  const signError = metrics.counter("citadel_server_csr_sign_err_count", "CSRs that were not signed", ["error"]);
  // A rate over a counter that is not there until its first event misses that event.
  const types: readonly SignErrorType[] = ["CA_NOT_READY", "CSR_ERROR", "TTL_ERROR", "CERT_GEN_ERROR"];
  for (const type of types) signError.add({ error: type }, 0);
  return { ...counters, signError };
}

// Read at every scrape, so that they follow whatever the signing CA does: istiod's are set at start and at hot reload.
function registerExpiryGauges(
  metrics: Metrics,
  { signingCa, clock }: { readonly signingCa: SigningCa; readonly clock: Clock },
): void {
  const gauges: readonly (readonly [name: string, what: string, read: () => Certificate | undefined])[] = [
    ["citadel_server_root_cert", "first root certificate", () => signingCa.trustBundle.current()?.authorities[0]],
    ["citadel_server_cert_chain", "first certificate of the CA's chain", () => signingCa.chain()[0]],
  ];
  for (const [name, what, read] of gauges) {
    const expiry = (): number | undefined => {
      const certificate = read();
      return certificate && certificate.notAfter.getTime() / 1000;
    };
    metrics.derivedGauge(`${name}_expiry_timestamp`, `expiry of the ${what}, in seconds since 1970`, expiry);
    metrics.derivedGauge(`${name}_expiry_seconds`, `seconds until the ${what} expires, negative afterwards`, () => {
      const at = expiry();
      return at === undefined ? undefined : at - clock.now().getTime() / 1000;
    });
  }
}

function registerProcessGauges(metrics: Metrics, about: { readonly clock: Clock; readonly version: string }): void {
  const startedAt = about.clock.now().getTime();
  metrics.derivedGauge(
    "istiod_uptime_seconds",
    "seconds since the start",
    () => (about.clock.now().getTime() - startedAt) / 1000,
  );
  metrics.gauge("pilot_info", "version of this server", ["version"]).set({ version: about.version }, 1);
}

/** gRPC's own names of the codes, as its Go library writes them into labels. */
const codeNames = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...["PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"],
  ...["Internal", "Unavailable", "DataLoss", "Unauthenticated"],
] as const;

const streamingMethods: ReadonlySet<string> = new Set(["ServerReflectionInfo"]);
const serverStreamingMethods: ReadonlySet<string> = new Set(["Watch"]);

function grpcType(method: string): "unary" | "server_stream" | "bidi_stream" {
  if (streamingMethods.has(method)) return "bidi_stream";
  return serverStreamingMethods.has(method) ? "server_stream" : "unary";
}

function createCallRecorder(metrics: Metrics): (call: FinishedCall) => void {
  const labels = ["grpc_type", "grpc_service", "grpc_method"] as const;
  const handled = metrics.counter("grpc_server_handled_total", "RPCs completed", [...labels, "grpc_code"]);
  const seconds = metrics.histogram("grpc_server_handling_seconds", "time to answer an RPC", handlingBuckets, labels);
  return ({ service, method, code, durationMs }) => {
    const call = { grpc_type: grpcType(method), grpc_service: service, grpc_method: method };
    handled.add({ ...call, grpc_code: codeNames[code] ?? "Unknown" });
    seconds.observe(call, durationMs / 1000);
  };
}
