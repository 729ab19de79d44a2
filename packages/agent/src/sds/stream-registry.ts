import type { SentSecrets, StreamInfo } from "./sds-events.ts";
import type { SecretStreamNotice } from "./secret-stream.ts";

/** One open stream, for people. */
export type StreamStatus = {
  readonly streamId: string;
  /** What the client calls itself; empty before its first request. */
  readonly nodeId: string;
  /** Names that have been sent, in the order in which they first were. */
  readonly names: readonly string[];
  /** Of the last response; null before the first. */
  readonly sentVersion: string | null;
  /** Of the last response that was taken. */
  readonly acknowledgedVersion: string | null;
  /** Why the client has rejected a response, until it takes a later one. */
  readonly rejection: string | null;
};

/** What is known of the streams that are open now. */
export interface StreamRegistry {
  opened(stream: StreamInfo): void;
  closed(stream: StreamInfo): void;
  sent(stream: StreamInfo, response: SentSecrets): void;
  noticed(stream: StreamInfo, notice: SecretStreamNotice): void;
  current(): readonly StreamStatus[];
}

/** Returns a registry without streams. It grows with them and no further: of each it keeps names that exist and one reason. */
export function createStreamRegistry(): StreamRegistry {
  const open = new Map<string, StreamStatus>();

  function change({ streamId, nodeId }: StreamInfo, changed: Partial<StreamStatus>): void {
    const before = open.get(streamId);
    if (before !== undefined) open.set(streamId, { ...before, nodeId, ...changed });
  }

  return {
    opened({ streamId, nodeId }) {
      const nothing = { names: [], sentVersion: null, acknowledgedVersion: null, rejection: null };
      open.set(streamId, { streamId, nodeId, ...nothing });
    },
    closed: ({ streamId }) => void open.delete(streamId),
    sent(stream, { names, versionInfo }) {
      const known = open.get(stream.streamId)?.names ?? [];
      change(stream, { names: [...new Set([...known, ...names])], sentVersion: versionInfo });
    },
    noticed(stream, notice) {
      if (notice.kind === "acknowledged") {
        change(stream, { acknowledgedVersion: notice.versionInfo, rejection: null });
      } else if (notice.kind === "rejected") change(stream, { rejection: notice.reason });
    },
    current: () => [...open.values()],
  };
}
