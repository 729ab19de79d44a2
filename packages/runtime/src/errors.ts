/** What went wrong in the life of a process. */
export type RuntimeErrorCode =
  | "argument-invalid"
  | "deadline-exceeded"
  | "directory-not-private"
  | "duration-malformed"
  | "file-too-large"
  | "file-unreadable"
  | "file-unwritable"
  | "host-port-malformed"
  | "listen-failed"
  | "locked"
  | "lock-unusable"
  | "setting-invalid"
  | "task-ended"
  | "task-failed";

/**
 * The one error class of this package; `code` is closed, `message` is for people, `cause` is what was caught.
 * @example
 * ```ts
 * import { parseDuration, RuntimeError } from "@signet/runtime";
 * try {
 *   parseDuration("1 day");
 * } catch (error) {
 *   if (error instanceof RuntimeError) error.code; // "duration-malformed"
 * }
 * ```
 */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Never returns: closes a `switch` over a union, so that a new member is a type error there.
 * @throws RuntimeError `argument-invalid` if a value slips past the types; the value itself is not named, since it may be anything
 * @example
 * ```ts
 * import { assertNever } from "@signet/runtime";
 * function sign(effect: "allow" | "deny"): number {
 *   switch (effect) {
 *     case "allow":
 *       return 1;
 *     case "deny":
 *       return -1;
 *     default:
 *       return assertNever(effect);
 *   }
 * }
 * sign("deny");
 * ```
 */
export function assertNever(value: never): never {
  throw new RuntimeError("argument-invalid", `unexpected ${typeof value} in a switch that lists every case`);
}

/**
 * The message of whatever was thrown: `message` of an Error, else the value as text.
 *
 * An Error without a message (an AggregateError of a failed connection has none) gives its code or its name.
 * @example
 * ```ts
 * import { errorMessage } from "@signet/runtime";
 * errorMessage(new Error("connection refused")); // "connection refused"
 * ```
 */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) {
    return typeof error === "string" ? error : `a thrown ${error === null ? "null" : typeof error}`;
  }
  return error.message || errorCode(error) || error.name;
}

/**
 * The `code` an error carries, or undefined: a code of one of our packages, or of Node such as "ENOENT".
 * @example
 * ```ts
 * import { errorCode, RuntimeError } from "@signet/runtime";
 * errorCode(new RuntimeError("locked", "locked by process 1")); // "locked"
 * ```
 */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
