import type { Logger } from "@signet/runtime";
import { serverLogEvents } from "./server-log-events.ts";
import { signingLogEvents } from "./signing/signing-log-events.ts";

/** Every line the CA server logs: its constant message, its level, its fields. `docs/events.md` says what each means. */
export const logEvents: LogEvents = { ...serverLogEvents, ...signingLogEvents };

type LogEvents = typeof serverLogEvents & typeof signingLogEvents;

/** The message of one of the CA server's log lines. */
export type LogEventName = keyof LogEvents;

/** The facts that a line of this name carries. */
export type LogEventFields<Name extends LogEventName> = {
  readonly [Field in LogEvents[Name]["fields"][number]]: unknown;
};

/** Writes one line, with exactly the fields that its declaration names. */
export function logEvent<Name extends LogEventName>(logger: Logger, name: Name, fields: LogEventFields<Name>): void {
  logger[logEvents[name].level](name, fields);
}
