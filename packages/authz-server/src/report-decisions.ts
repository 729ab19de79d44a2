import type { AttributedRequest, AuthorizationResult } from "@signet/authorizer";
import type { Workload } from "@signet/documents";
import { type Clock, createLineBudget, type Logger, type Random } from "@signet/runtime";
import { textOf } from "./check-response.ts";
import { authzEvents, logEvent } from "./events.ts";
import { type AuthzMetrics, createPolicyLabels } from "./metrics.ts";
import type { AuthzSettingValues, OnFailure, RedactableField } from "./settings.ts";

/** Why nothing could be decided about a request. Closed. */
export type FailureCause = "deadline" | "overload" | "internal";

/** What the service tells of what it did; must not throw. */
export interface DecisionEvents {
  decided(event: {
    readonly request: AttributedRequest;
    readonly workload: Workload;
    readonly result: AuthorizationResult;
    readonly durationMs: number;
  }): void;
  failed(event: { readonly cause: FailureCause; readonly onFailure: OnFailure; readonly error: unknown }): void;
  workloadUnknown(event: { readonly why: string }): void;
}

/** Decisions are logged at most so often, so that nobody can fill a disk by asking. */
const maxDecisionLines = 6_000;
const maxTroubleLines = 60;
const maxFieldLength = 512;

type Dependencies = {
  readonly logger: Logger;
  readonly metrics: AuthzMetrics;
  readonly clock: Clock;
  readonly random: Random;
};

/** Turns decisions into log lines and metrics. Queries, headers, bodies and claims are never logged. */
export function reportDecisions(
  settings: Pick<AuthzSettingValues, "decisionLog" | "allowedSample" | "redact">,
  { logger, metrics, clock, random }: Dependencies,
): DecisionEvents {
  const budgets = {
    decisions: createLineBudget(clock, maxDecisionLines),
    failures: createLineBudget(clock, maxTroubleLines),
    unknown: createLineBudget(clock, maxTroubleLines),
  };
  const labelOf = createPolicyLabels();
  const redacted: ReadonlySet<RedactableField> = new Set(settings.redact);
  const isLogged = ({ effect, audit }: AuthorizationResult): boolean => {
    if (settings.decisionLog === "none") return false;
    // What a policy with action AUDIT marks is what somebody wanted to see.
    if (effect === "deny" || audit.length > 0) return true;
    return settings.decisionLog === "all" && random() < settings.allowedSample;
  };
  const shown = (field: RedactableField, text: string | undefined): string | undefined =>
    text === undefined || redacted.has(field) ? undefined : textOf(text).slice(0, maxFieldLength);

  return {
    decided({ request, workload, result, durationMs }) {
      const { effect, reason, policy, id, provider, audit, requestPrincipal } = result;
      metrics.decisions.add({ effect, reason });
      metrics.seconds.observe({}, durationMs / 1000);
      if (policy !== undefined)
        metrics.policyDecisions.add({ policy: labelOf(`${policy.namespace}/${policy.name}`), effect });
      if (!isLogged(result)) return;
      const suppressed = budgets.decisions.spend();
      if (suppressed === undefined) return;
      logEvent(logger, authzEvents.decision, {
        ...{ effect, reason, policyId: id, provider },
        audit: audit.length === 0 ? undefined : audit.map((rule) => rule.id),
        namespace: workload.namespace,
        method: textOf(request.method).slice(0, maxFieldLength),
        host: shown("host", request.host),
        path: shown("path", withoutQuery(request.path)),
        peerPrincipal: shown("peerPrincipal", request.source.principal),
        requestPrincipal: redacted.has("requestPrincipal") ? undefined : requestPrincipal?.slice(0, maxFieldLength),
        remoteAddress: shown("remoteAddress", request.source.address),
        durationMs: Math.round(durationMs * 1000) / 1000,
        suppressed: suppressed === 0 ? undefined : suppressed,
      });
    },
    failed({ cause, onFailure, error }) {
      metrics.failures.add({ cause });
      const suppressed = budgets.failures.spend();
      if (suppressed !== undefined) logEvent(logger, authzEvents.checkFailed, { cause, onFailure, error, suppressed });
    },
    workloadUnknown({ why }) {
      metrics.failures.add({ cause: "workload-unknown" });
      const suppressed = budgets.unknown.spend();
      if (suppressed !== undefined) logEvent(logger, authzEvents.workloadUnknown, { why, suppressed });
    },
  };
}

/** Secrets are put into queries. */
function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}
