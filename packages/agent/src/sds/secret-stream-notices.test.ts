import { describe, expect, it } from "vitest";
import { first, have, request, run, secrets } from "../testing/secret-stream-events.ts";
import type { SecretStreamEvent, SecretStreamStep } from "./secret-stream.ts";

describe("a stream of SDS", () => {
  it.each<[string, readonly SecretStreamEvent[], SecretStreamStep["notices"]]>([
    [
      "an ACK",
      [request({ resourceNames: ["default"], responseNonce: "s.1" })],
      [{ kind: "acknowledged", versionInfo: "v1" }],
    ],
    [
      "a NACK",
      [request({ resourceNames: ["default"], responseNonce: "s.1", errorDetail: "bad" })],
      [{ kind: "rejected", versionInfo: "v1", reason: "bad" }],
    ],
    [
      "a NACK of an older response",
      [
        secrets("v2", { default: "svid 2" }),
        request({ resourceNames: ["default"], responseNonce: "s.1", errorDetail: "bad" }),
      ],
      [{ kind: "rejected", versionInfo: undefined, reason: "bad" }],
    ],
    [
      "a nonce that was never given",
      [request({ resourceNames: ["default"], responseNonce: "x" })],
      [{ kind: "stale", responseNonce: "x" }],
    ],
    [
      "an unknown name",
      [request({ resourceNames: ["x"], responseNonce: "s.1" })],
      [
        { kind: "acknowledged", versionInfo: "v1" },
        { kind: "unknown-names", names: ["x"] },
      ],
    ],
    ["another type", [request({ typeUrl: "other" })], [{ kind: "foreign-type", typeUrl: "other" }]],
  ])("notices %s", (_title, events, notices) => {
    expect(run([have, first(["default"]), ...events]).steps.at(-1)?.notices).toEqual(notices);
  });
});
