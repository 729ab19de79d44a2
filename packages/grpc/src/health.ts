import { createSource, type Source } from "@signet/runtime";

/** Which services are serving, as `grpc.health.v1` tells it. */
export interface HealthState {
  /** Sets whether `service` is serving; "" is the server as a whole. */
  set(service: string, serving: boolean): void;
  /** Every service that was set, with every change. */
  readonly services: Source<ReadonlyMap<string, boolean>>;
}

/**
 * A HealthState where nothing is known yet, not even the server as a whole; `serve` answers for it.
 * @example
 * ```ts
 * import { createHealthState } from "@signet/grpc";
 * const health = createHealthState();
 * health.set("", true);
 * health.set("istio.v1.auth.IstioCertificateService", false);
 * ```
 */
export function createHealthState(): HealthState {
  const services = createSource<ReadonlyMap<string, boolean>>(new Map());
  return {
    services,
    set(service, serving) {
      services.publish(new Map(services.current()).set(service, serving));
    },
  };
}
