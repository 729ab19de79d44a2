import type { HealthState } from "@signet/grpc";
import type { Clock, Logger, Task } from "@signet/runtime";
import { logEvent } from "./log-events.ts";
import type { Readiness } from "./readiness.ts";

const intervalMs = 5_000;

/**
 * Has gRPC's health service say what `/ready` says, and logs when that changes; without it an outage of the signing CA
 * would first show in callers' errors.
 */
export function createReadinessTask(
  options: { readonly readiness: Readiness; readonly health: HealthState; readonly services: readonly string[] },
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Task {
  const { readiness, health, services } = options;
  return {
    name: "readiness",
    async run(signal): Promise<void> {
      let wasReady: boolean | undefined;
      let warned = "";
      while (!signal.aborted) {
        const problems = await readiness.problems();
        if (signal.aborted) return;
        const ready = problems.length === 0;
        for (const service of services) health.set(service, ready);
        if (ready && !wasReady) logEvent(logger, "ca server ready", {});
        if (!ready && wasReady !== false) logEvent(logger, "ca server not ready", { problems });
        wasReady = ready;
        const warnings = readiness.warnings();
        const told = JSON.stringify(warnings);
        // All well again is told too, with none.
        if (told !== warned && (warned !== "" || warnings.length > 0))
          logEvent(logger, "ca server warnings", { warnings });
        warned = told;
        await clock.sleep(intervalMs, signal);
      }
    },
  };
}
