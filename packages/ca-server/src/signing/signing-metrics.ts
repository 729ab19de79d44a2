import type { FailoverRole, SigningCa, SigningCaHealth } from "@signet/ca";
import type { Metrics } from "@signet/runtime";

/** What happens to signing CAs, counted. */
export interface SigningMetrics {
  /** A set of CA files that was taken over, or not. */
  filesOffered(outcome: "adopted" | "refused"): void;
  switched(to: FailoverRole): void;
  vaultCalled(call: { readonly operation: string; readonly outcome: string; readonly durationMs: number }): void;
}

/** Seconds; a signature takes milliseconds, and one that is given up, seconds. */
const callBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Registers what is ours alone: istiod has nothing of the kind. */
export function createSigningMetrics(metrics: Metrics): SigningMetrics {
  const files = metrics.counter("signet_ca_files_total", "sets of CA files that were offered", ["outcome"]);
  const switches = metrics.counter("signet_signing_ca_switches_total", "times that the other CA took over", ["to"]);
  const calls = metrics.counter("signet_vault_calls_total", "calls to Vault", ["operation", "outcome"]);
  const seconds = metrics.histogram("signet_vault_call_seconds", "time of a call to Vault", callBuckets, ["operation"]);
  for (const outcome of ["adopted", "refused"] as const) files.add({ outcome }, 0);
  for (const to of ["primary", "standby"] as const) switches.add({ to }, 0);
  return {
    filesOffered: (outcome) => files.add({ outcome }),
    switched: (to) => switches.add({ to }),
    vaultCalled({ operation, outcome, durationMs }): void {
      calls.add({ operation, outcome });
      seconds.observe({ operation }, durationMs / 1000);
    },
  };
}

const states: readonly SigningCaHealth["state"][] = ["good", "degraded", "failing"];

/** One gauge for each state, 1 for the one that the signing CA is in; a CA that tells nothing is good. */
export function registerSigningCaState(metrics: Metrics, signingCa: SigningCa): void {
  for (const state of states) {
    metrics.derivedGauge(`signet_signing_ca_${state}`, `1 while the signing CA is ${state}`, () =>
      Number((signingCa.health?.current()?.state ?? "good") === state),
    );
  }
}
