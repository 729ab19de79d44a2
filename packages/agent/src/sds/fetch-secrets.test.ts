import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Status, StatusError } from "@signet/grpc";
import { createSource } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { fetchSecrets } from "./fetch-secrets.ts";
import type { SecretName } from "./secret-names.ts";
import { type SdsSecret, type SecretSnapshot, secretTypeUrl } from "./secret-stream.ts";

const files = { follow: () => undefined, settled: async () => undefined };
const resource = create(AnySchema, { typeUrl: secretTypeUrl });

async function fetch(ready: readonly SecretName[] | undefined, resourceNames: readonly string[], typeUrl = "") {
  const secrets = new Map(ready?.map((name): [SecretName, SdsSecret] => [name, { revision: "1", resource }]));
  const snapshots = createSource<SecretSnapshot>(ready === undefined ? undefined : { version: "v1", secrets });
  try {
    return (await fetchSecrets({ snapshots, files, id: "1" }, { typeUrl, resourceNames })).names;
  } catch (error) {
    if (error instanceof StatusError) return error.code;
    throw error;
  }
}

describe("a unary SDS request", () => {
  it.each([
    ["what there is", ["default", "ROOTCA"], ["default", "ROOTCA", "default"], ["default", "ROOTCA"]],
    ["one of two", ["default", "ROOTCA"], ["ROOTCA"], ["ROOTCA"]],
    ["a name that nothing here has", ["default"], ["default", "other"], Status.NOT_FOUND],
    ["all names", ["default"], ["*"], Status.NOT_FOUND],
    ["a name without material yet", ["ROOTCA"], ["default"], Status.UNAVAILABLE],
    ["a name before anything is there", undefined, ["default"], Status.UNAVAILABLE],
    ["an unknown name before anything is there", undefined, ["other", "default"], Status.NOT_FOUND],
    ["no name", ["default"], [], Status.INVALID_ARGUMENT],
  ] as const)("for %s", async (_what, ready, names, expected) => {
    expect(await fetch(ready, names)).toEqual(expected);
  });

  it("is refused for another type", async () => {
    const cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    expect(await fetch(["default"], ["default"], cluster)).toBe(Status.INVALID_ARGUMENT);
    expect(await fetch(["default"], ["default"], secretTypeUrl)).toEqual(["default"]);
  });
});
