import { errorMessage } from "@signet/runtime";
import type { Refusal } from "./refusal.ts";

/** What a gateway tells its application, for logs and metrics. Nothing here holds a token. */
export interface GatewayEvents {
  /** A request was answered with a refusal. */
  refused?(event: RefusedEvent): void;
  /** Something of the application has thrown; without this method it becomes a warning of the process. */
  failed?(event: FailedEvent): void;
}

/** A refusal; `cause` is what a parser of claims has thrown. */
export type RefusedEvent = { readonly code: string; readonly status: number; readonly cause?: unknown };

/** What has thrown: the authenticator, a handler that an adapter called, or one of `GatewayEvents` itself. */
export type FailedEvent = { readonly what: "authenticator" | "handler" | "events"; readonly error: unknown };

/** Tells of a refusal. */
export function reportRefusal(events: GatewayEvents, { code, status }: Refusal, cause?: unknown): void {
  try {
    events.refused?.({ code, status, ...(cause === undefined ? {} : { cause }) });
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
