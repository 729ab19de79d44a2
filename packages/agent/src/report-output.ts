import type { Logger } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { CertificateFilesEvents } from "./output/certificate-files.ts";

/** Turns what happens to the files of the identity into log lines and metrics. */
export function reportOutput(metrics: AgentMetrics, logger: Logger): CertificateFilesEvents {
  return {
    written: (event) => logEvent(logger, agentEvents.filesWritten, event),
    failed(event) {
      metrics.outputFailures.add({});
      logEvent(logger, agentEvents.filesFailed, event);
    },
    reloaded: () => logEvent(logger, agentEvents.reloadDone, {}),
    reloadFailed(event) {
      metrics.outputFailures.add({});
      logEvent(logger, agentEvents.reloadFailed, event);
    },
  };
}
