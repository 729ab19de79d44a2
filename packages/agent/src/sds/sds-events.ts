import type { SecretStreamNotice } from "./secret-stream.ts";

/** Who is at the other end of a stream; `nodeId` is what the client calls itself. */
export type StreamInfo = { readonly streamId: string; readonly nodeId: string };

/** What a response carried, whatever the protocol. */
export type SentSecrets = { readonly versionInfo: string; readonly names: readonly string[] };

/** What the SDS server tells the log and the metrics. */
export interface SdsEvents {
  opened(stream: StreamInfo): void;
  closed(stream: StreamInfo): void;
  sent(stream: StreamInfo, response: SentSecrets): void;
  noticed(stream: StreamInfo, notice: SecretStreamNotice): void;
  failed(error: unknown): void;
}
