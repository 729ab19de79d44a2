import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { describeFields, type LogFields } from "./log-fields.ts";

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
  const root = pino(
    {
      level,
      base: { scope: name },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destinationOf(options.destination),
  );
  return wrap(root, { stacks: level === "debug" });
}

function destinationOf(chosen: LogDestination | undefined): DestinationStream {
  if (chosen === undefined) return destination({ dest: 2, sync: true });
  return { write: (line) => void chosen.write(line) };
}

function wrap(target: PinoLogger, options: { readonly stacks: boolean }): Logger {
  function at(level: LogLevel): Logger["info"] {
    return (message, fields) => {
      if (target.isLevelEnabled(level)) target[level](describeFields(fields ?? {}, options), message);
    };
  }
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => wrap(target.child(describeFields(fields, options)), options),
  };
}
