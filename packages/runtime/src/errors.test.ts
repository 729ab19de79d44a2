import { describe, expect, it } from "vitest";
import { assertNever, errorCode, errorMessage, RuntimeError } from "./errors.ts";

describe("assertNever", () => {
  it("throws without showing the value", () => {
    const token: unknown = "eyJhbGciOi";
    expect(() => assertNever(token as never)).toThrow(
      expect.objectContaining({ code: "argument-invalid", message: expect.not.stringContaining("eyJ") }),
    );
  });
});

describe("errorMessage", () => {
  it.each([
    [new Error("refused"), "refused"],
    [new AggregateError([new Error("a")]), "AggregateError"],
    [Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    ["refused", "refused"],
    [undefined, "a thrown undefined"],
    [null, "a thrown null"],
    [{ message: "refused" }, "a thrown object"],
  ])("describes %j", (thrown, message) => {
    expect(errorMessage(thrown)).toBe(message);
  });
});

describe("errorCode", () => {
  it.each([
    [new RuntimeError("locked", "locked by process 1"), "locked"],
    [Object.assign(new Error("gone"), { code: "ENOENT" }), "ENOENT"],
    [Object.assign(new Error("gone"), { code: 5 }), undefined],
    [new Error("gone"), undefined],
    ["ENOENT", undefined],
    [null, undefined],
  ])("reads the code of %s", (thrown, code) => {
    expect(errorCode(thrown)).toBe(code);
  });
});
