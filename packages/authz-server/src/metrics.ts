import { type Counter, createMetrics, type Gauge, type Histogram, type Metrics } from "@signet/runtime";

/** What the authorization server counts. */
export type AuthzMetrics = {
  readonly registry: Metrics;
  readonly decisions: Counter<"effect" | "reason">;
  /** Only names of policies that there are, and so many of them. */
  readonly policyDecisions: Counter<"policy" | "effect">;
  readonly failures: Counter<"cause">;
  readonly providerFailures: Counter<"provider">;
  readonly seconds: Histogram<never>;
  readonly documents: Gauge<"state">;
};

/** What is read at every scrape. */
export type AuthzReadings = { readonly checksWaiting: () => number; readonly jwksKeys: () => number };

const buckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** The metrics of the authorization server. */
export function createAuthzMetrics({ checksWaiting, jwksKeys }: AuthzReadings): AuthzMetrics {
  const registry = createMetrics({ prefix: "signet_authz_", processMetrics: true });
  registry.derivedGauge("checks_waiting", "Requests that wait for keys or providers now", checksWaiting);
  registry.derivedGauge(
    "jwks_keys",
    "Keys that tokens are verified with now, of all issuers whose keys are fetched",
    jwksKeys,
  );
  return {
    registry,
    decisions: registry.counter("decisions", "Requests decided", ["effect", "reason"]),
    policyDecisions: registry.counter("policy_decisions", "Requests decided by a rule of a policy", [
      "policy",
      "effect",
    ]),
    failures: registry.counter("failures", "Requests about which nothing could be decided", ["cause"]),
    providerFailures: registry.counter("provider_failures", "Questions that a CUSTOM provider gave no answer to", [
      "provider",
    ]),
    seconds: registry.histogram("check_seconds", "Seconds from a question to its answer", buckets),
    documents: registry.gauge("documents", "Documents by what became of them", ["state"]),
  };
}

const maxPolicies = 1_000;

/** Returns labels of policies, or of what policies name, of which there are never more than a thousand, whatever sets come and go; the rest are `other`. */
export function createPolicyLabels(): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.has(name)) return name;
    if (known.size >= maxPolicies) return "other";
    known.add(name);
    return name;
  };
}
