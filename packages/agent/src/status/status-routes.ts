import { isIPv4 } from "node:net";
import { checkHealth, errorMessage, type HealthCheck, type HttpMethodRoute, type HttpRoute } from "@signet/runtime";
import { notAfterOf } from "../identity/workload-identity.ts";
import type { AgentMetrics } from "../metrics.ts";
import { type DebugOptions, debugStatus } from "./debug-status.ts";

export type StatusOptions = DebugOptions & {
  /** Why no SDS client can connect now, or undefined. */
  readonly socketProblem: () => Promise<string | undefined>;
  readonly metrics: AgentMetrics;
  /** Ends the agent in order, as SIGTERM does. */
  readonly quit: () => void;
};

const healthDeadlineMs = 1_000;

/**
 * What the status port answers: readiness, metrics under both paths of Istio's agent, and for who is on this machine what is
 * served to whom, draining and the end.
 */
export function statusRoutes(options: StatusOptions): Readonly<Record<string, HttpRoute | HttpMethodRoute>> {
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
    "/debug/status": localOnly(async () => ({
      status: 200,
      body: `${JSON.stringify(debugStatus(options), undefined, 2)}\n`,
      contentType: "application/json",
    })),
    "/drain": posted(() => options.state.set("draining")),
    "/quitquitquit": posted(() => options.quit()),
  };
}

/** As in Istio: POST, from this machine, answered with OK. */
function posted(act: () => void): HttpMethodRoute {
  const answer = localOnly(async () => {
    act();
    return { status: 200, body: "OK" };
  });
  return { methods: ["POST"], answer };
}

/** What tells of the workload, or ends it, is for nobody else on the network. */
function localOnly(answer: HttpRoute): HttpRoute {
  return async (request) =>
    isLoopback(request.remoteAddress) ? await answer(request) : { status: 403, body: "only from this machine\n" };
}

function isLoopback(address: string): boolean {
  return address === "::1" || (isIPv4(address) && address.startsWith("127."));
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
