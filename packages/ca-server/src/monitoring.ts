import type { HttpRoute, Metrics } from "@signet/runtime";

/** The routes of the monitoring port: `/metrics` and `/version`. */
export function createMonitoringRoutes(metrics: Metrics, version: string): Readonly<Record<string, HttpRoute>> {
  return {
    "/metrics": async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
    // istioctl takes the last two parts off: revision and state of the source tree.
    "/version": async () => ({ status: 200, body: `${version}-unknown-Clean` }),
  };
}
