import { status as grpcStatus } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { metadataFrom, Status, StatusError, statusName } from "./index.ts";
import { parseStatus } from "./status.ts";

test("codes and names are those of gRPC", () => {
  for (const [name, code] of Object.entries(Status)) {
    expect(grpcStatus[code]).toBe(name);
    expect(statusName(code)).toBe(name);
  }
  expect(Object.keys(Status)).toHaveLength(17);
});

test.each([
  [0, Status.OK],
  ["16", Status.UNAUTHENTICATED],
  [17, Status.UNKNOWN],
  [-1, Status.UNKNOWN],
  ["x", Status.UNKNOWN],
  ["", Status.UNKNOWN],
  [null, Status.UNKNOWN],
  [undefined, Status.UNKNOWN],
  [1.5, Status.UNKNOWN],
])("%j on the wire is status %i", (code, status) => {
  expect(parseStatus(code)).toBe(status);
});

test("a StatusError has code, sentence, cause and metadata", () => {
  const cause = new Error("the disk is full");
  const error = new StatusError(Status.UNAVAILABLE, "try later", { cause, metadata: { "Retry-After": "3" } });
  expect(error).toMatchObject({ name: "StatusError", code: 14, message: "try later", cause });
  expect(error.metadata.get("retry-after")).toEqual(["3"]);
  expect(new StatusError(Status.UNAVAILABLE, "try later")).not.toHaveProperty("cause");
});

test("metadata is read by names in any case, and keeps what it was made of", () => {
  const values = ["a"];
  const metadata = metadataFrom({ Names: values, one: "1" });
  values.push("b");
  expect(metadata.get("NAMES")).toEqual(["a"]);
  expect(metadata.get("one")).toEqual(["1"]);
  expect(metadata.get("__proto__")).toEqual([]);
});
