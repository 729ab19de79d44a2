import { formatDuration, parseDuration } from "./duration.ts";
import { errorMessage, RuntimeError } from "./errors.ts";
import { formatHostPort, type HostPort, parseHostPort } from "./host-port.ts";

/** One setting: where it is read from, and how its text becomes a value. */
export interface Setting<T> {
  readonly kind: SettingKind;
  readonly env?: string;
  /** Without the leading dashes. */
  readonly flag?: string;
  readonly default: T;
  readonly description: string;
  readonly secret: boolean;
  /** What a value looks like, for help: "<duration>". */
  readonly placeholder: string;
  /** What an empty environment variable means; undefined stands for "as if it were not set". */
  readonly whenEmpty: { readonly value: T } | undefined;
  /** Throws RuntimeError `setting-invalid`, whose message says what the value is not, without the value. */
  parse(text: string): T;
  /** The default as people write it. */
  format(value: T): string;
}

/** What a setting holds. */
export type SettingKind = "text" | "integer" | "bool" | "duration" | "list" | "choice" | "hostPort" | "json" | "parsed";

/** What every setting has. A `default` left out is undefined: the setting then may have no value. */
export type SettingOptions<D> = {
  /** Environment variable. */
  readonly env?: string;
  /** Command line flag, with or without its leading "--". */
  readonly flag?: string;
  readonly default?: D;
  readonly description: string;
  /** Its value appears in no message, help text or table. */
  readonly secret?: boolean;
};

/** The kinds of settings; see `setting`. */
export interface SettingKinds {
  /** Any text. An empty variable is the empty text if there is a default to override, else no value. */
  text<D extends string | undefined = undefined>(options: SettingOptions<D>): Setting<string | D>;
  /** A decimal integer within `min` and `max`, which default to the safe integers. */
  integer<D extends number | undefined = undefined>(
    options: SettingOptions<D> & { readonly min?: number; readonly max?: number },
  ): Setting<number | D>;
  /** 1, t, T, TRUE, true, True, 0, f, F, FALSE, false, False, as Go's strconv.ParseBool has it; the bare flag is true. */
  bool<D extends boolean | undefined = undefined>(options: SettingOptions<D>): Setting<boolean | D>;
  /** Go's notation ("24h", "1m30s", "100ms") as milliseconds, within `minMs` (0 by default) and `maxMs`. */
  duration<D extends number | undefined = undefined>(
    options: SettingOptions<D> & { readonly minMs?: number; readonly maxMs?: number },
  ): Setting<number | D>;
  /** Comma separated; entries are trimmed and empty ones left out. A flag given several times adds up. */
  list<D extends readonly string[] | undefined = undefined>(options: SettingOptions<D>): Setting<readonly string[] | D>;
  /** One of `choices`, exactly as written. */
  choice<const C extends string, D extends NoInfer<C> | undefined = undefined>(
    options: SettingOptions<D> & { readonly choices: readonly C[] },
  ): Setting<C | D>;
  /** "host:port", "[::1]:port", or ":port" for all interfaces (host "::"). */
  hostPort<D extends HostPort | undefined = undefined>(options: SettingOptions<D>): Setting<HostPort | D>;
  /** JSON, turned by `read` into a value; `read` throws when it is not what it should be. Without `read` it stays unknown. */
  json<T = unknown, D extends NoInfer<T> | undefined = undefined>(
    options: SettingOptions<D> & { readonly read?: (value: unknown) => T },
  ): Setting<T | D>;
  /** Text turned by `read` into a value of another type, such as a trust domain; `read` throws when it cannot. */
  parsed<T, D extends NoInfer<T> | undefined = undefined>(
    options: SettingOptions<D> & { readonly read: (text: string) => T; readonly placeholder?: string },
  ): Setting<T | D>;
}

/**
 * Makers of settings, one for each kind; the result goes into the spec of `parseSettings`.
 * @example
 * ```ts
 * import { setting } from "@signet/runtime";
 * const ttl = setting.duration({ env: "SECRET_TTL", flag: "secret-ttl", default: 86_400_000, description: "lifetime asked for" });
 * ttl.parse("1h"); // 3600000
 * ```
 */
export const setting: SettingKinds = {
  text: (options) => ({
    ...base(options, { kind: "text", placeholder: "<text>" }),
    whenEmpty: options.default === undefined ? undefined : { value: "" },
    parse: (text) => text,
    format: (value) => value ?? "",
  }),
  integer: (options) => ({
    ...base(options, { kind: "integer", placeholder: "<integer>" }),
    parse: (text) => parseInteger(text, options),
    format: (value) => (value === undefined ? "" : String(value)),
  }),
  bool: (options) => ({
    ...base(options, { kind: "bool", placeholder: "" }),
    parse: parseBool,
    format: (value) => (value === undefined ? "" : String(value)),
  }),
  duration: (options) => ({
    ...base(options, { kind: "duration", placeholder: "<duration>" }),
    parse: (text) => parseBoundedDuration(text, options),
    format: (value) => (value === undefined ? "" : formatDuration(value)),
  }),
  list: (options) => ({
    ...base(options, { kind: "list", placeholder: "<a,b,...>" }),
    whenEmpty: options.default === undefined ? undefined : { value: [] },
    parse: parseList,
    format: (value) => value?.join(",") ?? "",
  }),
  choice: (options) => ({
    ...base(options, { kind: "choice", placeholder: `<${options.choices.join("|")}>` }),
    parse: (text) => parseChoice(text, options.choices),
    format: (value) => value ?? "",
  }),
  hostPort: (options) => ({
    ...base(options, { kind: "hostPort", placeholder: "<host:port>" }),
    parse: (text) => read(() => parseHostPort(text), 'is not a host and port such as "localhost:15012" or ":15012"'),
    format: (value) => (value === undefined ? "" : formatHostPort(value).replace(/^\[::\]/, "")),
  }),
  json: (options) => ({
    ...base(options, { kind: "json", placeholder: "<json>" }),
    parse: (text) => parseJson(text, options),
    format: (value) => (value === undefined ? "" : JSON.stringify(value)),
  }),
  parsed: (options) => ({
    ...base(options, { kind: "parsed", placeholder: options.placeholder ?? "<text>" }),
    parse: (text) => readBy(options, text),
    format: (value) => (value === undefined ? "" : String(value)),
  }),
};

type Base<D> = Pick<Setting<D>, "kind" | "env" | "flag" | "description" | "secret" | "placeholder"> & {
  readonly default: D;
  readonly whenEmpty: undefined;
};

function base<D>(
  options: SettingOptions<D>,
  what: { readonly kind: SettingKind; readonly placeholder: string },
): Base<D> {
  const { env, flag, description, secret = false } = options;
  return {
    ...what,
    description,
    secret,
    // An absent default is undefined, and then D includes undefined: the makers' signatures see to that.
    default: options.default as D,
    whenEmpty: undefined,
    ...(env === undefined ? {} : { env }),
    ...(flag === undefined ? {} : { flag: flag.replace(/^--/, "") }),
  };
}

function refuse(problem: string): never {
  throw new RuntimeError("setting-invalid", problem);
}

function read<T>(parse: () => T, problem: string): T {
  try {
    return parse();
  } catch {
    return refuse(problem);
  }
}

/** The message of a caller's `read` may hold the value, so a secret setting does without it. */
function readBy<I, T>(options: { readonly secret?: boolean; readonly read: (input: I) => T }, input: I): T {
  try {
    return options.read(input);
  } catch (error) {
    return refuse(options.secret === true ? "is not valid" : `is not valid: ${errorMessage(error)}`);
  }
}

function parseInteger(text: string, limits: { readonly min?: number; readonly max?: number }): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = limits;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) return refuse("is not an integer");
  if (value < min) return refuse(`is below the minimum ${min}`);
  if (value > max) return refuse(`is above the maximum ${max}`);
  return value;
}

const trueWords = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseWords = new Set(["0", "f", "F", "FALSE", "false", "False"]);

function parseBool(text: string): boolean {
  if (trueWords.has(text)) return true;
  if (falseWords.has(text)) return false;
  return refuse('is neither "true" nor "false"');
}

function parseBoundedDuration(text: string, limits: { readonly minMs?: number; readonly maxMs?: number }): number {
  const { minMs = 0, maxMs = Number.POSITIVE_INFINITY } = limits;
  const ms = read(() => parseDuration(text), 'is not a duration such as "24h", "1m30s" or "100ms"');
  if (ms < minMs) return refuse(`is below the minimum ${formatDuration(minMs)}`);
  if (ms > maxMs) return refuse(`is above the maximum ${formatDuration(maxMs)}`);
  return ms;
}

function parseList(text: string): readonly string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function parseChoice<C extends string>(text: string, choices: readonly C[]): C {
  const found = choices.find((choice) => choice === text);
  return found ?? refuse(`is none of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`);
}

function parseJson<T>(text: string, options: { readonly secret?: boolean; readonly read?: (value: unknown) => T }): T {
  const value = read((): unknown => JSON.parse(text), "is not JSON");
  const { secret = false, read: readValue } = options;
  // Without a reader T is unknown, and so is the value.
  return readValue === undefined ? (value as T) : readBy({ secret, read: readValue }, value);
}
