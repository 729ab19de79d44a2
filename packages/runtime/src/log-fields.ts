import { errorCode } from "./errors.ts";

/** Facts of a log line, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

// "__proto__" would not be written: assigning it sets what an object inherits from.
const reservedNames = new Set(["level", "time", "scope", "msg", "__proto__"]);
const maxTextLength = 4096;
// Also what ends a circle.
const maxDepth = 8;

/** Returns `into` with the fields as they are written: errors described, long text cut, bytes counted, reserved names moved out of the way. */
export function describeFields(
  fields: LogFields,
  { into, stacks }: { readonly into: Record<string, unknown>; readonly stacks: boolean },
): Record<string, unknown> {
  const options = { stacks, depth: 0 };
  for (const name of Object.keys(fields)) {
    into[reservedNames.has(name) ? `field_${name}` : name] = describeValue(fields[name], options);
  }
  return into;
}

/** One line of JSON with its newline; a field that cannot be written says so instead of losing the others. */
export function formatLine(line: Record<string, unknown>): string {
  try {
    return `${JSON.stringify(line)}\n`;
  } catch {
    const writable = Object.entries(line).map(([name, value]) => [name, isWritable(value) ? value : "(not writable)"]);
    return `${JSON.stringify(Object.fromEntries(writable))}\n`;
  }
}

function isWritable(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

type Options = { readonly stacks: boolean; readonly depth: number };

function describeValue(value: unknown, options: Options): unknown {
  if (typeof value === "string") return cut(value);
  if (typeof value === "bigint") return value.toString();
  // A field that is called toJSON would be called by it.
  if (typeof value === "function") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return describeError(value, options);
  // Bytes are keys, tokens or certificates; none of them belongs in a log.
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (!Array.isArray(value) && !isPlainObject(value)) return value;
  if (options.depth >= maxDepth) return "...";
  const inner = { ...options, depth: options.depth + 1 };
  if (Array.isArray(value)) return value.map((item) => describeValue(item, inner));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, describeValue(item, inner)]));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

type ErrorFields = {
  readonly name: string;
  /** A number for a gRPC status. */
  readonly code?: string | number;
  readonly message: string;
  readonly stack?: string;
  readonly errors?: unknown;
  readonly cause?: unknown;
};

function describeError(error: Error, options: Options): ErrorFields | string {
  if (options.depth >= maxDepth) return "...";
  const { stacks } = options;
  const inner = { ...options, depth: options.depth + 1 };
  const code = errorCode(error) ?? numericCode(error);
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: cut(error.message),
    ...(stacks && error.stack !== undefined ? { stack: cut(error.stack) } : {}),
    ...(error instanceof AggregateError ? { errors: describeValue(error.errors.slice(0, maxDepth), inner) } : {}),
    ...(error.cause === undefined ? {} : { cause: describeValue(error.cause, inner) }),
  };
}

function numericCode(error: Error): number | undefined {
  return "code" in error && typeof error.code === "number" ? error.code : undefined;
}

function cut(text: string): string {
  return text.length <= maxTextLength
    ? text
    : `${text.slice(0, maxTextLength)}... (${text.length - maxTextLength} more)`;
}
