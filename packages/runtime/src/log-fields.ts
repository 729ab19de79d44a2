import { errorCode } from "./errors.ts";

/** Facts of a log line, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

const reservedNames = new Set(["level", "time", "scope", "msg"]);
const maxTextLength = 4096;
const maxCauses = 8;

/** The fields as they are written: errors described, long text cut, bytes counted, reserved names moved out of the way. */
export function describeFields(fields: LogFields, options: { readonly stacks: boolean }): Record<string, unknown> {
  const described: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    described[reservedNames.has(name) ? `field_${name}` : name] = describeValue(value, options);
  }
  return described;
}

function describeValue(value: unknown, options: { readonly stacks: boolean }): unknown {
  if (typeof value === "string") return cut(value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return describeError(value, { ...options, depth: 0 });
  // Bytes are keys, tokens or certificates; none of them belongs in a log.
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) return value.map((item) => describeValue(item, options));
  return value;
}

type ErrorFields = {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
};

function describeError(error: Error, options: { readonly stacks: boolean; readonly depth: number }): ErrorFields {
  const { stacks, depth } = options;
  const next = { stacks, depth: depth + 1 };
  const code = errorCode(error);
  const deeper = depth + 1 < maxCauses;
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: cut(error.message),
    ...(stacks && error.stack !== undefined ? { stack: cut(error.stack) } : {}),
    ...(deeper && error instanceof AggregateError
      ? { errors: error.errors.slice(0, maxCauses).map((inner) => describeCause(inner, next)) }
      : {}),
    ...(deeper && error.cause !== undefined ? { cause: describeCause(error.cause, next) } : {}),
  };
}

function describeCause(cause: unknown, options: { readonly stacks: boolean; readonly depth: number }): unknown {
  return cause instanceof Error ? describeError(cause, options) : describeValue(cause, options);
}

function cut(text: string): string {
  return text.length <= maxTextLength
    ? text
    : `${text.slice(0, maxTextLength)}... (${text.length - maxTextLength} more)`;
}
