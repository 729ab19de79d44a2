import type { AuthenticationOutcome, CaErrorCode, Caller, IssuanceEvents, PresentedCredentials } from "@signet/ca";
import { errorMessage, type Logger } from "@signet/runtime";
import { logEvent } from "./log-events.ts";
import type { CaServerMetrics } from "./metrics.ts";
import { statusOf } from "./status.ts";

type Refusal = Extract<AuthenticationOutcome, { kind: "refused" }>;

/** What happens in one call of the CA RPC, told as it happens. */
export interface CallEvents {
  called(): void;
  callerRefused(event: { readonly presented: PresentedCredentials; readonly outcome: Refusal }): void;
  impersonationRefused(event: { readonly presented: PresentedCredentials; readonly caller: Caller }): void;
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
    impersonationRefused({ presented, caller }): void {
      metrics.authenticationFailed();
      const { peerAddress } = presented;
      logEvent(logger, "impersonation refused", { spiffeId: caller.spiffeId, peerAddress });
    },
    issuance: (call) => createIssuanceEvents(call, logger, metrics),
  };
}

function createIssuanceEvents(
  call: { readonly authenticator: string; readonly peerAddress: string },
  logger: Logger,
  metrics: CaServerMetrics,
): IssuanceEvents {
  return {
    issued({ caller: { spiffeId }, serialNumber, notAfter, signingCa, durationMs }): void {
      metrics.issued();
      logEvent(logger, "certificate issued", { spiffeId, serialNumber, notAfter, ...call, signingCa, durationMs });
    },
    refused({ caller: { spiffeId }, code, error, signingCa, durationMs }): void {
      metrics.signFailed(statusOf[code].type);
      if (parsingCodes.has(code)) metrics.csrParsingFailed();
      logEvent(logger, "certificate refused", { spiffeId, code, error, ...call, signingCa, durationMs });
    },
  };
}
