import { VaultError } from "./errors.ts";

/** One object of an answer of Vault, with readers that throw where the answer is not what it should be. */
export interface AnswerFields {
  has(name: string): boolean;
  text(name: string): string;
  /** Whole seconds, zero or more. */
  seconds(name: string): number;
  /** False when it is left out. */
  flag(name: string): boolean;
  /** Empty when it is left out or null; at most 1024. */
  texts(name: string): readonly string[];
}

const maxTexts = 1024;

/**
 * Returns the object that `body` has under `name`: "data" of what was read or written, "auth" of a login.
 * @throws VaultError `response-malformed`
 */
export function answerFields(body: unknown, name: "data" | "auth"): AnswerFields {
  const fields = member(body, name);
  if (typeof fields !== "object" || fields === null) throw malformed(name, "an object");
  return {
    has: (key) => member(fields, key) !== undefined && member(fields, key) !== null,
    text(key) {
      const value = member(fields, key);
      return typeof value === "string" ? value : fail(key, "a text");
    },
    seconds(key) {
      const value = member(fields, key);
      return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
        ? value
        : fail(key, "whole seconds");
    },
    flag(key) {
      const value = member(fields, key) ?? false;
      return typeof value === "boolean" ? value : fail(key, "true or false");
    },
    texts(key) {
      const value = member(fields, key) ?? [];
      return isTexts(value) && value.length <= maxTexts ? value : fail(key, "a list of texts");
    },
  };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

function fail(name: string, what: string): never {
  throw malformed(name, what);
}

function malformed(name: string, what: string): VaultError {
  return new VaultError("response-malformed", `"${name}" in the answer of Vault is not ${what}`);
}
