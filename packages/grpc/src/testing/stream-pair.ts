import type { DiscoveryRequest } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { createInbox } from "../inbox.ts";
import { bindService, type CallErrorEvent, type CallEvent, type Status, type StreamHandler } from "../index.ts";
import { type TestPair, testPair } from "../testing.ts";
import { unhurried } from "./streams.ts";

/** A handler of StreamSecrets, used for nothing but its being a stream in both directions. */
export type StreamAnswer = StreamHandler<DiscoveryRequest, { nonce?: string; versionInfo?: string }>;

/** A server whose StreamSecrets is `answer`. */
export interface StreamPair extends TestPair {
  /** The status of the next call to end. */
  code(): Promise<Status | undefined>;
  readonly errors: readonly CallErrorEvent[];
  /** A call on the same connection: when it is back, everything sent before it has arrived. */
  roundTrip(): Promise<unknown>;
}

/** Serves `answer` on a temporary socket. */
export async function streamPair(answer: StreamAnswer): Promise<StreamPair> {
  const calls = createInbox<CallEvent>(() => {});
  const errors: CallErrorEvent[] = [];
  const services = [
    bindService(SecretDiscoveryService, { streamSecrets: answer }),
    bindService(Health, { check: async () => ({ status: Serving.SERVING }) }),
  ];
  const onCall = (event: CallEvent): void => {
    if (event.method === "StreamSecrets") calls.push(event);
  };
  const pair = await testPair(services, { serve: { onCall, onError: (event) => errors.push(event) } });
  return {
    ...pair,
    errors,
    code: async () => (await calls.next()).value?.code,
    roundTrip: () => pair.channel.unary(Health.method.check, {}, unhurried),
  };
}
