import type { Authorizer, DocumentSource } from "@signet/authorizer";
import { describeProblem } from "@signet/documents";
import { errorMessage, type HttpRoute, type ServingState } from "@signet/runtime";
import type { AuthzMetrics } from "./metrics.ts";

/** What the status port tells of. */
export type StatusOptions = {
  readonly state: ServingState;
  readonly source: DocumentSource;
  readonly authorizer: Authorizer;
  readonly metrics: AuthzMetrics;
};

/** What the status port answers: readiness, the state in words, and metrics. */
export function statusRoutes(options: StatusOptions): Readonly<Record<string, HttpRoute>> {
  const { state, metrics } = options;
  const { registry } = metrics;
  return {
    "/ready": async () => {
      const phase = state.current();
      return phase === "serving" ? { status: 200, body: warningsOf(options) } : { status: 503, body: `${phase}\n` };
    },
    "/status": async () => ({
      status: 200,
      contentType: "application/json",
      body: `${JSON.stringify(statusOf(options), undefined, 2)}\n`,
    }),
    "/metrics": async () => ({ status: 200, body: await registry.text(), contentType: registry.contentType }),
  };
}

/** What is not as it should be while requests are still decided: a line each. */
function warningsOf({ source, authorizer }: StatusOptions): string {
  const set = source.sets.current();
  const problem = source.problem();
  const lines = [
    ...(problem === undefined ? [] : [`documents: ${errorMessage(problem)}`]),
    ...(set?.refused ?? []).map(({ problems }) => `refused: ${problems.slice(0, 1).map(describeProblem).join("")}`),
    ...(set?.kept ?? []).map(
      ({ problems }) => `last good version kept: ${problems.slice(0, 1).map(describeProblem).join("")}`,
    ),
    ...authorizer
      .health()
      .flatMap(({ issuer, lastError }) =>
        lastError === undefined ? [] : [`keys of ${JSON.stringify(issuer)}: ${lastError}`],
      ),
  ];
  return lines
    .slice(0, 100)
    .map((line) => `${line}\n`)
    .join("");
}

function statusOf({ state, source, authorizer }: StatusOptions): object {
  const { documents = [], refused = [], kept = [], fileCount = 0 } = source.sets.current() ?? {};
  return {
    phase: state.current(),
    files: fileCount,
    documents: documents.length,
    refused: refused.flatMap(({ problems }) => problems.map(describeProblem)),
    kept: kept.flatMap(({ problems }) => problems.map(describeProblem)),
    keys: authorizer.health(),
  };
}
