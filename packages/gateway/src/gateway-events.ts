import { errorMessage } from "@signet/runtime";
import type { Refusal } from "./refusal.ts";
import type { AuthorizationOutcome } from "./request-authorizer.ts";

/** What a gateway tells its application, for logs and metrics. Nothing here holds a token. */
export interface GatewayEvents {
  /** A request was answered with a refusal. */
  refused?(event: RefusedEvent): void;
  /** An authorizer has decided: all that it says, also of policies that audit and of those on dry-run. */
  decided?(outcome: AuthorizationOutcome): void;
  /** Something of the application has thrown; without this method it becomes a warning of the process. */
  failed?(event: FailedEvent): void;
}

/** A refusal; `policy` is the one that denied, `namespace/name`, and `cause` what a parser of claims has thrown. */
export type RefusedEvent = {
  readonly code: string;
  readonly status: number;
  readonly policy?: string;
  readonly cause?: unknown;
};

/** What has thrown: the authenticator or authorizer, a handler that an adapter called, or one of `GatewayEvents` itself. */
export type FailedEvent = { readonly what: "authenticator" | "handler" | "events"; readonly error: unknown };

/** Tells of a refusal. */
export function reportRefusal(events: GatewayEvents, { code, status, policy }: Refusal, cause?: unknown): void {
  const event = {
    code,
    status,
    ...(policy === undefined ? {} : { policy }),
    ...(cause === undefined ? {} : { cause }),
  };
  tell(events, () => events.refused?.(event));
}

/** Tells of what an authorizer has decided. */
export function reportDecision(events: GatewayEvents, outcome: AuthorizationOutcome): void {
  tell(events, () => events.decided?.(outcome));
}

function tell(events: GatewayEvents, event: () => void): void {
  try {
    event();
  } catch (error) {
    reportFailure(events, { what: "events", error });
  }
}

/** Tells of a failure: what fails must not fail in silence, and whoever listens must not make it worse. */
export function reportFailure(events: GatewayEvents, failure: FailedEvent): void {
  if (events.failed === undefined) {
    warn(failure);
    return;
  }
  try {
    events.failed(failure);
  } catch (error) {
    warn({ what: "events", error });
    warn(failure);
  }
}

function warn({ what, error }: FailedEvent): void {
  process.emitWarning(`the ${what} of a gateway failed: ${errorMessage(error)}`, "GatewayWarning");
}
