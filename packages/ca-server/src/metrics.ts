import type { SigningCa } from "@signet/ca";
import type { CalledMethod, Status } from "@signet/grpc";
import type { Clock, Metrics } from "@signet/runtime";
import type { Certificate } from "@signet/x509";
import { registerSigningCaState } from "./signing/signing-metrics.ts";
import type { SignErrorType } from "./status.ts";

/** One finished RPC of any service. */
export type FinishedCall = CalledMethod & { readonly code: Status; readonly durationMs: number };

/** A message of an RPC of any service. */
export type PassedMessage = CalledMethod & { readonly direction: "received" | "sent" };

/** The CA server's metrics by what happened. */
export interface CaServerMetrics {
  csrReceived(): void;
  authenticationFailed(): void;
  signFailed(type: SignErrorType): void;
  csrParsingFailed(): void;
  issued(): void;
  callStarted(call: CalledMethod): void;
  messagePassed(message: PassedMessage): void;
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
  registerSigningCaState(metrics, about.signingCa);
  return {
    csrReceived: () => counters.csr.add({}),
    authenticationFailed: () => counters.authenticationFailure.add({}),
    signFailed: (type) => counters.signError.add({ error: type }),
    csrParsingFailed: () => counters.parsingError.add({}),
    issued: () => counters.issuance.add({}),
    ...createCallRecorder(metrics),
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

function createCallRecorder(metrics: Metrics): Pick<CaServerMetrics, "callStarted" | "messagePassed" | "callFinished"> {
  const labels = ["grpc_type", "grpc_service", "grpc_method"] as const;
  const started = metrics.counter("grpc_server_started_total", "RPCs begun", labels);
  const received = metrics.counter("grpc_server_msg_received_total", "messages read of RPCs", labels);
  const sent = metrics.counter("grpc_server_msg_sent_total", "messages answered in RPCs", labels);
  const handled = metrics.counter("grpc_server_handled_total", "RPCs completed", [...labels, "grpc_code"]);
  const seconds = metrics.histogram("grpc_server_handling_seconds", "time to answer an RPC", handlingBuckets, labels);
  const labelsOf = ({ type, service, method }: CalledMethod) =>
    ({ grpc_type: type, grpc_service: service, grpc_method: method }) as const;
  return {
    callStarted: (call) => started.add(labelsOf(call)),
    messagePassed: (message) => (message.direction === "received" ? received : sent).add(labelsOf(message)),
    callFinished(call): void {
      handled.add({ ...labelsOf(call), grpc_code: codeNames[call.code] ?? "Unknown" });
      seconds.observe(labelsOf(call), call.durationMs / 1000);
    },
  };
}
