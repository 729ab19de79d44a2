import type {
  AuthenticationOutcome,
  CaErrorCode,
  Caller,
  ImpersonationOutcome,
  IssuanceEvents,
  PresentedCredentials,
} from "@signet/ca";
import { errorMessage, type Logger } from "@signet/runtime";
import { logEvent } from "./log-events.ts";
import type { CaServerMetrics } from "./metrics.ts";
import { statusOf } from "./status.ts";

type Refusal = Extract<AuthenticationOutcome, { kind: "refused" }>;

/** A caller asked for somebody else's certificate and did not get it. */
export type ImpersonationRefusedEvent = {
  readonly presented: PresentedCredentials;
  readonly caller: Caller;
  /** As the caller sent it, cut to a bearable length. */
  readonly requested: string | undefined;
  readonly outcome: Exclude<ImpersonationOutcome, { kind: "permitted" }>;
};

/** What happens in one call of the CA RPC, told as it happens. */
export interface CallEvents {
  called(): void;
  callerRefused(event: { readonly presented: PresentedCredentials; readonly outcome: Refusal }): void;
  impersonationRefused(event: ImpersonationRefusedEvent): void;
  /** The call took longer than it may. */
  timedOut(event: { readonly peerAddress: string; readonly deadlineMs: number }): void;
  /** The events of the issuing core, for one caller whom `authenticator` knew. */
  issuance(call: { readonly authenticator: string; readonly peerAddress: string }): IssuanceEvents;
}

/** The CSR could not be read at all, as opposed to read and found wanting. */
const parsingCodes: ReadonlySet<CaErrorCode> = new Set<CaErrorCode>([
  "csr-malformed",
  "csr-too-large",
  "csr-key-unsupported",
]);

/** Turns what happens in calls into log lines and metrics. */
export function createCallEvents(logger: Logger, metrics: CaServerMetrics): CallEvents {
  return {
    called: () => metrics.csrReceived(),
    callerRefused({ presented, outcome }): void {
      metrics.authenticationFailed();
      const { clusterId, peerAddress, transport } = presented;
      const attempts = outcome.attempts.map(({ authenticator, result }) => ({
        authenticator,
        result: result.kind,
        ...("reason" in result && { reason: result.reason }),
        ...("cause" in result && { detail: errorMessage(result.cause) }),
      }));
      logEvent(logger, "caller refused", { reason: outcome.reason, attempts, clusterId, peerAddress, transport });
    },
    impersonationRefused({ presented: { peerAddress }, caller, requested, outcome: { reason, detail } }): void {
      metrics.authenticationFailed();
      const { spiffeId, kubernetes: { clusterId, podName } = {} } = caller;
      logEvent(logger, "impersonation refused", {
        ...{ spiffeId, requested, reason, detail, clusterId, podName, peerAddress },
      });
    },
    timedOut: (event) => logEvent(logger, "certificate request timed out", event),
    issuance: (call) => createIssuanceEvents(call, logger, metrics),
  };
}

function createIssuanceEvents(
  call: { readonly authenticator: string; readonly peerAddress: string },
  logger: Logger,
  metrics: CaServerMetrics,
): IssuanceEvents {
  return {
    issued({ caller: { spiffeId, impersonator }, serialNumber, notAfter, signingCa, durationMs }): void {
      metrics.issued();
      const certificate = { spiffeId, serialNumber, notAfter, impersonator };
      logEvent(logger, "certificate issued", { ...certificate, ...call, signingCa, durationMs });
    },
    refused({ caller: { spiffeId, impersonator }, code, error, signingCa, durationMs }): void {
      metrics.signFailed(statusOf[code].type);
      if (parsingCodes.has(code)) metrics.csrParsingFailed();
      logEvent(logger, "certificate refused", { spiffeId, code, error, impersonator, ...call, signingCa, durationMs });
    },
  };
}
