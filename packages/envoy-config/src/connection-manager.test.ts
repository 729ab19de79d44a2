import { expect, test } from "vitest";
import { connectionManagerFields } from "./connection-manager.ts";

const keep = "KEEP_UNCHANGED";

test.each([
  [undefined, { normalizePath: true, pathWithEscapedSlashesAction: keep }],
  ["DEFAULT", { normalizePath: true, pathWithEscapedSlashesAction: keep }],
  ["NONE", { normalizePath: false, pathWithEscapedSlashesAction: keep }],
  ["BASE", { normalizePath: true, pathWithEscapedSlashesAction: keep }],
  ["MERGE_SLASHES", { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: keep }],
  [
    "DECODE_AND_MERGE_SLASHES",
    { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: "UNESCAPE_AND_FORWARD" },
  ],
] as const)("spec 3.9: path normalization %s", (pathNormalization, expected) => {
  const meshConfig = pathNormalization === undefined ? {} : { pathNormalization };
  expect(connectionManagerFields({ listener: "inbound", meshConfig })).toEqual({
    ...expected,
    useRemoteAddress: false,
  });
});

test("a gateway takes the client's address from the connection, or from behind trusted proxies", () => {
  expect(connectionManagerFields({ listener: "gateway" })).toMatchObject({ useRemoteAddress: true });
  expect(connectionManagerFields({ listener: "gateway", meshConfig: { numTrustedProxies: 2 } })).toMatchObject({
    useRemoteAddress: true,
    xffNumTrustedHops: 2,
  });
  expect(connectionManagerFields({ listener: "inbound", meshConfig: { numTrustedProxies: 2 } })).not.toHaveProperty(
    "xffNumTrustedHops",
  );
});
