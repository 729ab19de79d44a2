import { describe, expect, it } from "vitest";
import { type FailedShutdownStep, shutDownInOrder } from "./shut-down-in-order.ts";

describe("shutDownInOrder", () => {
  it("takes every step in order, also after one that throws or rejects, and says which", async () => {
    const taken: string[] = [];
    const failures: FailedShutdownStep[] = [];
    const error = new Error("no");
    await shutDownInOrder(
      [
        ["first", () => new Promise<void>((resolve) => setImmediate(resolve)).then(() => void taken.push("first"))],
        [
          "second",
          () => {
            throw error;
          },
        ],
        ["third", () => Promise.reject(error)],
        ["fourth", () => void taken.push("fourth")],
      ],
      (failed) => failures.push(failed),
    );
    expect(taken).toEqual(["first", "fourth"]);
    expect(failures).toEqual([
      { step: "second", error },
      { step: "third", error },
    ]);
  });
});
