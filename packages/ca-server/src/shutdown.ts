import type { GrpcListener, HealthState } from "@signet/grpc";
import type { KubernetesApi } from "@signet/kubernetes";
import { type HttpServer, type Logger, type ServingState, type ShutdownStep, shutDownInOrder } from "@signet/runtime";
import { logEvent } from "./log-events.ts";
import type { OpenedSigningCa } from "./signing/opened-signing-ca.ts";

/** What a CA server has opened so far, and so has to close. */
export type Opened = {
  readonly state: ServingState;
  readonly health: HealthState;
  /** Ends the background tasks. */
  readonly background: AbortController;
  kubernetes?: KubernetesApi;
  signing?: OpenedSigningCa;
  http?: HttpServer;
  monitoring?: HttpServer;
  listener?: GrpcListener;
  tasks?: Promise<void>;
};

/**
 * Closes what was opened, in this order; a step that fails is logged and does not keep the later ones from their turn.
 * Never rejects.
 */
export async function closeAll(
  opened: Opened,
  { services, graceMs, logger }: { readonly services: readonly string[]; graceMs: number; logger: Logger },
): Promise<void> {
  const notServing = (): void => {
    for (const service of services) opened.health.set(service, false);
  };
  const steps: readonly ShutdownStep[] = [
    ["stop serving", () => opened.state.set("draining")],
    ["report not serving", notServing],
    ["drain calls", () => opened.listener?.drain(graceMs)],
    ["stop tasks", () => opened.background.abort()],
    // A failure was logged when it happened.
    ["await tasks", () => opened.tasks?.catch(() => {})],
    ["close http", () => opened.http?.close()],
    ["close monitoring", () => opened.monitoring?.close()],
    ["release the signing CA", () => opened.signing?.release()],
    ["close the Kubernetes API", () => opened.kubernetes?.close()],
  ];
  await shutDownInOrder(steps, (failed) => logEvent(logger, "shutdown step failed", failed));
}
