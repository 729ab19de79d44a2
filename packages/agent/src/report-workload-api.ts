import type { Logger } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { WorkloadApiEvents } from "./workload-api/workload-api-server.ts";

/** Turns what happens on the SPIFFE Workload API into log lines and metrics. */
export function reportWorkloadApi(metrics: AgentMetrics, logger: Logger): WorkloadApiEvents {
  let open = 0;
  metrics.workloadApiStreams.set({}, open);
  const count = (difference: 1 | -1): void => {
    open += difference;
    metrics.workloadApiStreams.set({}, open);
  };
  return {
    opened(event) {
      count(1);
      logEvent(logger, agentEvents.workloadApiOpened, event);
    },
    closed(event) {
      count(-1);
      logEvent(logger, agentEvents.workloadApiClosed, event);
    },
    sent(event) {
      metrics.workloadApiResponses.add({});
      logEvent(logger, agentEvents.workloadApiSent, event);
    },
    refused: (event) => logEvent(logger, agentEvents.workloadApiRefused, event),
    failed: (error) => logEvent(logger, agentEvents.workloadApiFailed, { error }),
  };
}
