import { destination } from "pino";
import { describeFields, formatLine, type LogFields } from "./log-fields.ts";

/** How much is logged: this level and the more severe ones. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * All levels, the most talkative first.
 * @example
 * ```ts
 * import { logLevels, setting } from "@signet/runtime";
 * const level = setting.choice({ env: "SIGNET_LOG_LEVEL", choices: logLevels, default: "info", description: "log level" });
 * level.parse("debug");
 * ```
 */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Where lines go; each call is one line with its newline. */
export interface LogDestination {
  write(line: string): unknown;
}

/** Writes lines of a constant message and facts as fields. Neither may hold a token or a key. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

/**
 * A logger of JSON lines to standard error: `{"level","time","scope","msg", ...fields}`, `scope` being `name`.
 *
 * Standard output stays free for what a command prints. Lines are written before the call returns, so the last words of a
 * process are never lost. Errors among the fields become `{name, code, message, cause}`, with a stack only at level "debug";
 * long strings are cut and bytes are counted, not shown.
 * @example
 * ```ts
 * import { createLogger } from "@signet/runtime";
 * const logger = createLogger({ name: "ca", level: "info" });
 * logger.info("listening", { port: 15012 });
 * ```
 */
export function createLogger(options: {
  readonly name: string;
  readonly level: LogLevel;
  readonly destination?: LogDestination;
}): Logger {
  const { name, level } = options;
  const least = logLevels.indexOf(level);
  const target = {
    stacks: level === "debug",
    enabled: new Set(logLevels.slice(least)),
    destination: options.destination ?? destination({ dest: 2, sync: true }),
  };
  return loggerTo(target, { scope: name });
}

type Target = {
  readonly stacks: boolean;
  readonly enabled: ReadonlySet<LogLevel>;
  readonly destination: LogDestination;
};

/** `bound` is described already. */
function loggerTo(target: Target, bound: LogFields): Logger {
  function at(level: LogLevel): Logger["info"] {
    if (!target.enabled.has(level)) return () => {};
    return (message, fields) => {
      const line: Record<string, unknown> = { level, time: timestamp(), ...bound };
      if (fields !== undefined) describeFields(fields, { into: line, stacks: target.stacks });
      line.msg = message;
      target.destination.write(formatLine(line));
    };
  }
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => loggerTo(target, describeFields(fields, { into: { ...bound }, stacks: target.stacks })),
  };
}

let stampedMs = Number.NaN;
let stamp = "";

/** The instant now in ISO 8601; formatted once a millisecond. */
function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== stampedMs) {
    stampedMs = nowMs;
    stamp = new Date(nowMs).toISOString();
  }
  return stamp;
}
