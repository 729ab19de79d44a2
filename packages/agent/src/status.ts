import {
  type Clock,
  checkHealth,
  errorMessage,
  type HealthCheck,
  type HttpRoute,
  type ServingState,
  type Source,
} from "@signet/runtime";
import { notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import type { AgentMetrics } from "./metrics.ts";

export type StatusOptions = {
  readonly identity: Source<WorkloadIdentity>;
  readonly lastFailure: () => unknown;
  /** Why no SDS client can connect now, or undefined. */
  readonly socketProblem: () => Promise<string | undefined>;
  readonly state: ServingState;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
};

const healthDeadlineMs = 1_000;

/** What the status port answers: readiness, and metrics under both paths of Istio's agent. */
export function statusRoutes(options: StatusOptions): Readonly<Record<string, HttpRoute>> {
  const { registry } = options.metrics;
  const metrics: HttpRoute = async () => ({
    status: 200,
    body: await registry.text(),
    contentType: registry.contentType,
  });
  return {
    "/healthz/ready": (request) => answerReady(options, request.signal),
    "/metrics": metrics,
    "/stats/prometheus": metrics,
  };
}

/** 200 once there is an unexpired SVID and the SDS socket is served; else 503, with one line for each reason. */
async function answerReady(options: StatusOptions, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const checks = [processCheck(options), identityCheck(options), socketCheck(options)];
  const problems = await checkHealth(checks, { clock: options.clock, deadlineMs: healthDeadlineMs }, signal);
  if (problems.length === 0) return { status: 200, body: "" };
  return { status: 503, body: problems.map(({ check, reason }) => `${check}: ${reason}\n`).join("") };
}

function processCheck({ state }: StatusOptions): HealthCheck {
  return {
    name: "agent",
    check: async () => (state.current() === "serving" ? undefined : state.current()),
  };
}

function identityCheck({ identity, lastFailure, clock }: StatusOptions): HealthCheck {
  const because = (): string => {
    const failure = lastFailure();
    return failure === undefined ? "" : `: ${errorMessage(failure)}`;
  };
  return {
    name: "svid",
    check: async () => {
      const current = identity.current();
      if (current === undefined) return `there is none yet${because()}`;
      const notAfter = notAfterOf(current);
      return notAfter > clock.now() ? undefined : `expired at ${notAfter.toISOString()}${because()}`;
    },
  };
}

function socketCheck({ socketProblem }: StatusOptions): HealthCheck {
  return { name: "sds", check: socketProblem };
}
