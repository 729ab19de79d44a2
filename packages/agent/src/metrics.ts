import { type Counter, createMetrics, type Gauge, type Metrics } from "@signet/runtime";

/** What the agent counts; names and labels of the first six are istio-agent's. */
export type AgentMetrics = {
  readonly registry: Metrics;
  readonly outgoingRequests: Counter<"request_type">;
  readonly failedOutgoingRequests: Counter<"request_type">;
  readonly outgoingRetries: Counter<"request_type">;
  /** A running sum of milliseconds, as in Istio. */
  readonly outgoingLatency: Counter<"request_type">;
  readonly startupSeconds: Gauge<never>;
  readonly clockAheadSeconds: Gauge<never>;
  readonly svidsIssued: Counter<never>;
  readonly sdsStreams: Gauge<never>;
  readonly sdsResponses: Counter<never>;
  readonly sdsAcks: Counter<never>;
  readonly sdsNacks: Counter<never>;
  readonly sdsUnknownNames: Counter<never>;
  readonly outputFailures: Counter<never>;
  readonly workloadApiStreams: Gauge<never>;
  readonly workloadApiResponses: Counter<never>;
};

/** What is read at every scrape; no SVID has no time to its end. */
export type ServedIdentity = {
  readonly secondsToExpiry: () => number | undefined;
  /** Whether it is from an earlier start, or past its end. */
  readonly isStale: () => boolean;
};

/** The agent's metrics. */
export function createAgentMetrics({ secondsToExpiry, isStale }: ServedIdentity): AgentMetrics {
  const registry = createMetrics({ prefix: "istio_agent_", processMetrics: true });
  registry.derivedGauge(
    "cert_expiry_seconds",
    "Seconds until the certificate expires, negative once it has",
    secondsToExpiry,
    { resource_name: "default" },
  );
  registry.derivedGauge(
    "identity_stale",
    "1 while the SVID is from an earlier start or expired",
    () => Number(isStale()),
    {},
  );
  const byType = ["request_type"] as const;
  return {
    registry,
    outgoingRequests: registry.counter("num_outgoing_requests", "Requests sent to the CA", byType),
    failedOutgoingRequests: registry.counter("num_failed_outgoing_requests", "Requests to the CA that failed", byType),
    outgoingRetries: registry.counter("num_outgoing_retries", "Requests to the CA that repeat a failed one", byType),
    outgoingLatency: registry.counter("outgoing_latency", "Milliseconds spent waiting for the CA, summed up", byType),
    startupSeconds: registry.gauge("startup_duration_seconds", "Seconds from the start to the first SVID"),
    clockAheadSeconds: registry.gauge(
      "clock_ahead_seconds",
      "Seconds our clock seems ahead of the CA's, at the last SVID",
    ),
    svidsIssued: registry.counter("svids_issued", "SVIDs received and verified"),
    sdsStreams: registry.gauge("sds_streams", "SDS streams now open"),
    sdsResponses: registry.counter("sds_responses", "SDS responses sent"),
    sdsAcks: registry.counter("sds_acks", "SDS responses accepted by clients"),
    sdsNacks: registry.counter("sds_nacks", "SDS responses rejected by clients"),
    sdsUnknownNames: registry.counter("sds_unknown_names", "Requests over SDS for secrets that do not exist"),
    outputFailures: registry.counter("output_failures", "Certificate files not written, or a program not told of them"),
    workloadApiStreams: registry.gauge("workload_api_streams", "Open streams of the SPIFFE Workload API"),
    workloadApiResponses: registry.counter("workload_api_responses", "Responses sent over the SPIFFE Workload API"),
  };
}
