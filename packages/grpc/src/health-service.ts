import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { bindService, onlyRequest, type ServiceBinding } from "./bind-service.ts";
import type { HealthState } from "./health.ts";
import { Status, StatusError } from "./status.ts";

/** `grpc.health.v1.Health` answered from `state`; Watch sends every change, and for a service not yet known SERVICE_UNKNOWN. */
export function healthService(state: HealthState): ServiceBinding {
  return bindService(Health, {
    async check({ service }) {
      const serving = state.services.current()?.get(service);
      if (serving === undefined) throw new StatusError(Status.NOT_FOUND, "unknown service");
      return { status: servingStatus(serving) };
    },
    async list() {
      const services = [...(state.services.current() ?? [])];
      return {
        statuses: Object.fromEntries(services.map(([name, serving]) => [name, { status: servingStatus(serving) }])),
      };
    },
    async *watch(requests, { signal }) {
      const { service } = await onlyRequest(requests);
      let sent: Serving | undefined;
      for await (const services of state.services.changes(signal)) {
        const status = servingStatus(services.get(service));
        if (status === sent) continue;
        sent = status;
        yield { status };
      }
      signal.throwIfAborted();
    },
  });
}

function servingStatus(serving: boolean | undefined): Serving {
  if (serving === undefined) return Serving.SERVICE_UNKNOWN;
  return serving ? Serving.SERVING : Serving.NOT_SERVING;
}
