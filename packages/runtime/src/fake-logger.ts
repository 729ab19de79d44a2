import type { LogFields } from "./log-fields.ts";
import type { Logger, LogLevel } from "./logger.ts";

/** One line that was logged, with the fields of `with` among its own. */
export type LogLine = { readonly level: LogLevel; readonly message: string; readonly fields: LogFields };

/** A logger that keeps its lines; loggers made by its `with` add to the same list. */
export type FakeLogger = Logger & { readonly lines: readonly LogLine[] };

/**
 * A logger that remembers every line, of every level, for tests.
 * @example
 * ```ts
 * import { fakeLogger } from "@signet/runtime/testing";
 * const logger = fakeLogger();
 * logger.with({ scope: "ca" }).info("listening", { port: 15012 });
 * logger.lines; // [{ level: "info", message: "listening", fields: { scope: "ca", port: 15012 } }]
 * ```
 */
export function fakeLogger(): FakeLogger {
  const lines: LogLine[] = [];
  return { ...recording(lines, {}), lines };
}

function recording(lines: LogLine[], bound: LogFields): Logger {
  function at(level: LogLevel): Logger["info"] {
    return (message, fields) => {
      lines.push({ level, message, fields: { ...bound, ...fields } });
    };
  }
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => recording(lines, { ...bound, ...fields }),
  };
}
