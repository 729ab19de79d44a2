import { fakeLogger } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { shutDownInOrder } from "./shutdown.ts";

describe("shutDownInOrder", () => {
  it("takes every step in order, also after one that throws or rejects, and says which", async () => {
    const taken: string[] = [];
    const logger = fakeLogger();
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
      logger,
    );
    expect(taken).toEqual(["first", "fourth"]);
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { step: "second", error },
      { step: "third", error },
    ]);
  });
});
