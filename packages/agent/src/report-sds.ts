import { type Clock, createLineBudget, type Logger } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { SdsEvents, StreamInfo } from "./sds/sds-events.ts";
import type { SecretStreamNotice } from "./sds/secret-stream.ts";
import { createStreamRegistry, type StreamStatus } from "./sds/stream-registry.ts";

/** Unknown names are logged once each, and only so many of them: a client chooses them. */
const maxLoggedNames = 64;
const maxNameLength = 256;
/** So many rejections are logged a minute: a client can send thousands a second. */
const maxRejectionsPerMinute = 60;

/** Turns what happens on SDS streams into log lines and metrics. */
export function reportSds(
  metrics: AgentMetrics,
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
): SdsEvents & { streams(): readonly StreamStatus[] } {
  const registry = createStreamRegistry();
  const loggedNames = new Set<string>();
  const rejections = createLineBudget(clock, maxRejectionsPerMinute);
  let open = 0;
  metrics.sdsStreams.set({}, open);

  function count(difference: 1 | -1): void {
    open += difference;
    metrics.sdsStreams.set({}, open);
  }

  function noticeUnknown(stream: StreamInfo, names: readonly string[]): void {
    metrics.sdsUnknownNames.add({}, names.length);
    for (const full of names) {
      if (loggedNames.size >= maxLoggedNames) return;
      const name = full.slice(0, maxNameLength);
      if (loggedNames.has(name)) continue;
      loggedNames.add(name);
      logEvent(logger, agentEvents.sdsNameUnknown, { ...stream, name });
    }
  }

  return {
    streams: registry.current,
    opened(stream) {
      registry.opened(stream);
      count(1);
      logEvent(logger, agentEvents.sdsStreamOpened, { streamId: stream.streamId });
    },
    closed(stream) {
      registry.closed(stream);
      count(-1);
      logEvent(logger, agentEvents.sdsStreamClosed, stream);
    },
    sent(stream, { names, versionInfo }) {
      registry.sent(stream, { names, versionInfo });
      metrics.sdsResponses.add({});
      logEvent(logger, agentEvents.sdsResponseSent, { ...stream, names, versionInfo });
    },
    noticed(stream, notice: SecretStreamNotice) {
      registry.noticed(stream, notice);
      if (notice.kind === "acknowledged") metrics.sdsAcks.add({});
      if (notice.kind === "unknown-names") noticeUnknown(stream, notice.names);
      if (notice.kind !== "rejected") return;
      metrics.sdsNacks.add({});
      const { versionInfo, reason } = notice;
      const suppressed = rejections.spend();
      if (suppressed === undefined) return;
      logEvent(logger, agentEvents.sdsResponseRejected, { ...stream, versionInfo, reason, suppressed });
    },
    failed(error) {
      logEvent(logger, agentEvents.sdsStreamFailed, { error });
    },
  };
}
