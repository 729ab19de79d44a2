import { AuthorizerError } from "./errors.ts";

/** A JSON object as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Most octets of text that are read of one message. */
const maxTextOctets = 1_048_576;

/** Reads the fields of one message in proto JSON, and throws for what is of the wrong kind. */
export interface MessageReader {
  /** A message within this one; one without fields when it is not there. */
  message(field: string): MessageReader;
  /** Text as one character per octet of its UTF-8; empty when it is not there. */
  text(field: string): string;
  /** A number without sign of at most `max`, also where it is written as text; 0 when it is not there. */
  integer(field: string, max: number): number;
  /** Octets that are written in base64 or base64url, one character each; empty when they are not there. */
  octets(field: string): string;
  /** The messages of a list; none when it is not there. At most `max`. */
  messages(field: string, max: number): readonly MessageReader[];
  /** Keys and values of a map of text, in their order, values as `text` has them. At most `max`. */
  texts(field: string, max: number): readonly (readonly [key: string, value: string])[];
  /** The members of a JSON object as they are; none when it is not there. */
  members(field: string): JsonObject;
  /** Whether the field is there and not null. */
  holds(field: string): boolean;
}

/** What all readers of one message share. */
type Budget = { textOctets: number };

/**
 * Returns a reader of `value`, whose fields are named in lowerCamelCase or snake_case; `path` is what it is called in messages.
 * @throws AuthorizerError `attributes-malformed`, also from its methods; `attributes-too-large`
 */
export function readMessage(value: unknown, path: string): MessageReader {
  return createReader(value, path, { textOctets: maxTextOctets });
}

function createReader(value: unknown, path: string, budget: Budget): MessageReader {
  const object = objectAt(value, path);
  const find = (field: string): Found => findField(object, field, path);
  const textAt = (found: unknown, at: string): string => {
    if (found === undefined) return "";
    if (typeof found !== "string") throw wrongKind(at, found, "text");
    const octets = Buffer.from(found, "utf8");
    budget.textOctets -= octets.length;
    if (budget.textOctets < 0) throw tooLarge(at, `the request has more than ${maxTextOctets} octets of text`);
    return octets.toString("latin1");
  };
  return {
    holds: (field) => find(field).value !== undefined,
    message(field) {
      const found = find(field);
      return createReader(found.value ?? {}, found.path, budget);
    },
    text(field) {
      const found = find(field);
      return textAt(found.value, found.path);
    },
    octets(field) {
      const found = find(field);
      return decodeBase64(textAt(found.value, found.path), found.path);
    },
    integer(field, max) {
      const found = find(field);
      return integerAt(found, max);
    },
    messages(field, max) {
      const found = find(field);
      if (found.value === undefined) return [];
      if (!Array.isArray(found.value)) throw wrongKind(found.path, found.value, "a list");
      if (found.value.length > max) throw tooLarge(found.path, `it has more than ${max} entries`);
      return found.value.map((item: unknown, index) => createReader(item, `${found.path}[${index}]`, budget));
    },
    texts(field, max) {
      const found = find(field);
      const entries = Object.entries(objectAt(found.value ?? {}, found.path));
      if (entries.length > max) throw tooLarge(found.path, `it has more than ${max} entries`);
      return entries.map(([key, item]) => {
        const at = `${found.path}[${quote(key)}]`;
        return [textAt(key, at), textAt(item, at)] as const;
      });
    },
    members(field) {
      const found = find(field);
      return objectAt(found.value ?? {}, found.path);
    },
  };
}

type Found = { readonly value: unknown; readonly path: string };

/** The value of a field under either of its names; null is as good as absent, as in proto JSON. */
function findField(object: JsonObject, field: string, path: string): Found {
  const snake = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const names = [...new Set([field, snake])].filter((name) => Object.hasOwn(object, name) && object[name] !== null);
  const [name, other] = names;
  if (other !== undefined) throw malformed(join(path, field), `it is given twice, as ${names.join(" and as ")}`);
  return { value: name === undefined ? undefined : object[name], path: join(path, name ?? field) };
}

function join(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

function objectAt(value: unknown, path: string): JsonObject {
  if (!isJsonObject(value)) throw wrongKind(path, value, "an object");
  return value;
}

/** Whether a parsed JSON value is an object, not an array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function integerAt({ value, path }: Found, max: number): number {
  if (value === undefined) return 0;
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number") throw wrongKind(path, value, "a number");
  if (!Number.isInteger(number) || number < 0 || number > max) throw malformed(path, `it is not within 0 and ${max}`);
  return number;
}

function decodeBase64(text: string, path: string): string {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw malformed(path, "it is not base64");
  return Buffer.from(text, "base64").toString("latin1");
}

function wrongKind(path: string, value: unknown, wanted: string): AuthorizerError {
  return malformed(path, `it is ${describeKind(value)}, and not ${wanted}`);
}

function describeKind(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  const kinds: Readonly<Record<string, string>> = { string: "text", number: "a number", boolean: "true or false" };
  return kinds[typeof value] ?? "an object";
}

/** The error for a value at `path` that is not what it should be; `why` tells nothing of the value. */
export function malformed(path: string, why: string): AuthorizerError {
  return new AuthorizerError("attributes-malformed", `${path === "" ? "the request" : path} cannot be used: ${why}`);
}

/** The error for a value at `path` that is too large. */
export function tooLarge(path: string, why: string): AuthorizerError {
  return new AuthorizerError("attributes-too-large", `${path === "" ? "the request" : path} cannot be used: ${why}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
