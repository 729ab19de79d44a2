import { Status, StatusError } from "@signet/grpc";
import { describe, expect, it } from "vitest";
import { retryPushbackMs } from "./retry-pushback.ts";

describe("the pushback of a failed call", () => {
  it.each([
    [{}, undefined],
    [{ "grpc-retry-pushback-ms": "0" }, 0],
    [{ "grpc-retry-pushback-ms": "1500" }, 1_500],
    [{ "grpc-retry-pushback-ms": "-1" }, Number.POSITIVE_INFINITY],
    [{ "grpc-retry-pushback-ms": "soon" }, Number.POSITIVE_INFINITY],
  ])("%j", (metadata, expected) => {
    expect(retryPushbackMs(new StatusError(Status.RESOURCE_EXHAUSTED, "busy", { metadata }))).toBe(expected);
  });

  it("is none for other errors", () => {
    expect(retryPushbackMs(new Error("x"))).toBeUndefined();
  });
});
