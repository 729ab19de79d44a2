import { describe, expect, it } from "vitest";
import { first, have, request, run, secrets } from "../testing/secret-stream-events.ts";
import type { SecretStreamEvent } from "./secret-stream.ts";

describe("a stream of SDS", () => {
  it.each<[string, readonly SecretStreamEvent[], readonly string[]]>([
    ["answers a known name at once", [have, first(["default"])], ["-", "svid 1"]],
    ["answers in the order asked for", [have, first(["ROOTCA", "default"])], ["-", "roots 1 + svid 1"]],
    ["answers a name twice in one request once", [have, first(["default", "default"])], ["-", "svid 1"]],
    ["sends only what was asked for", [have, first(["ROOTCA"])], ["-", "roots 1"]],
    ["waits with a name that has no material yet", [first(["default"]), have], ["-", "svid 1"]],
    [
      "serves the name that has material and the other one later",
      [
        secrets("v1", { ROOTCA: "roots 1" }),
        first(["default", "ROOTCA"]),
        secrets("v2", { ROOTCA: "roots 1", default: "svid 1" }),
      ],
      ["-", "roots 1", "svid 1"],
    ],
    [
      "pushes what has changed and nothing else",
      [have, first(["default", "ROOTCA"]), secrets("v2", { default: "svid 2", ROOTCA: "roots 1" })],
      ["-", "svid 1 + roots 1", "svid 2"],
    ],
    [
      "does not push what is the same in a new snapshot",
      [have, first(["ROOTCA"]), secrets("v2", { default: "svid 2", ROOTCA: "roots 1" })],
      ["-", "roots 1", "-"],
    ],
    [
      "does not answer an ACK",
      [have, first(["default"]), request({ resourceNames: ["default"], responseNonce: "s.1", versionInfo: "v1" })],
      ["-", "svid 1", "-"],
    ],
    [
      "does not answer a NACK, and sends again when the material changes",
      [
        have,
        first(["default"]),
        request({ resourceNames: ["default"], responseNonce: "s.1", errorDetail: "bad key" }),
        secrets("v2", { default: "svid 1", ROOTCA: "roots 2" }),
        secrets("v3", { default: "svid 2", ROOTCA: "roots 2" }),
      ],
      ["-", "svid 1", "-", "-", "svid 2"],
    ],
    [
      "answers an added name with that name only",
      [
        have,
        first(["default"]),
        request({ resourceNames: ["default", "ROOTCA"], responseNonce: "s.1", versionInfo: "v1" }),
      ],
      ["-", "svid 1", "roots 1"],
    ],
    [
      "answers a name that a NACK adds",
      [
        have,
        first(["default"]),
        request({ resourceNames: ["default", "ROOTCA"], responseNonce: "s.1", errorDetail: "no" }),
      ],
      ["-", "svid 1", "roots 1"],
    ],
    [
      "does not answer a removal, and pushes what was removed no more",
      [
        have,
        first(["default", "ROOTCA"]),
        request({ resourceNames: ["ROOTCA"], responseNonce: "s.1", versionInfo: "v1" }),
        secrets("v2", { default: "svid 2", ROOTCA: "roots 1" }),
      ],
      ["-", "svid 1 + roots 1", "-", "-"],
    ],
    [
      "sends a name again that was removed and added",
      [
        have,
        first(["default"]),
        request({ responseNonce: "s.1", versionInfo: "v1" }),
        request({ resourceNames: ["default"], responseNonce: "s.1", versionInfo: "v1" }),
      ],
      ["-", "svid 1", "-", "svid 1"],
    ],
    [
      "sends a name again that was removed and added while a response was under way",
      [
        have,
        first(["default", "ROOTCA"]),
        secrets("v2", { default: "svid 2", ROOTCA: "roots 1" }),
        request({ resourceNames: ["default"], responseNonce: "s.1", versionInfo: "v1" }),
        request({ resourceNames: ["default", "ROOTCA"], responseNonce: "s.1", versionInfo: "v1" }),
      ],
      ["-", "svid 1 + roots 1", "svid 2", "-", "roots 1"],
    ],
    [
      "does not answer a stale request that changes nothing",
      [
        have,
        first(["default"]),
        secrets("v2", { default: "svid 2" }),
        request({ resourceNames: ["default"], responseNonce: "s.1", versionInfo: "v1" }),
        request({ resourceNames: ["default"], responseNonce: "s.2", versionInfo: "v2" }),
      ],
      ["-", "svid 1", "svid 2", "-", "-"],
    ],
    [
      "answers the first request whatever version and nonce it brings",
      [have, first(["default"], { versionInfo: "v1", responseNonce: "old.7" })],
      ["-", "svid 1"],
    ],
    [
      "answers a first request that brings an error",
      [have, first(["default"], { errorDetail: "left over" })],
      ["-", "svid 1"],
    ],
    [
      "answers a plain request again, as clients send that poll",
      [have, first(["default"]), request({ resourceNames: ["default"] })],
      ["-", "svid 1", "svid 1"],
    ],
    [
      "takes a request without nonce that names the version for an ACK",
      [have, first(["default"]), request({ resourceNames: ["default"], versionInfo: "v1" })],
      ["-", "svid 1", "-"],
    ],
    ["leaves out unknown names", [have, first(["kubernetes://x", "default", ""])], ["-", "svid 1"]],
    ["has no answer to unknown names alone", [have, first(["file-cert:~", "file-root:", "x"])], ["-", "-"]],
    ["has no answer to no names", [have, first([])], ["-", "-"]],
    [
      "does not treat names as prefixes or in another case",
      [have, first(["Default", "default ", "rootca"])],
      ["-", "-"],
    ],
    [
      "refuses a client that does not say who it is",
      [have, request({ resourceNames: ["default"] })],
      ["-", "refused: missing node information"],
    ],
    [
      "wants the node in the first request only",
      [have, first([]), request({ resourceNames: ["default"] })],
      ["-", "-", "svid 1"],
    ],
    [
      "ignores another type, before the node is known too",
      [have, request({ typeUrl: "type.googleapis.com/istio.v1.HealthInformation" }), first(["default"])],
      ["-", "-", "svid 1"],
    ],
    ["takes a missing type for its own", [have, first(["default"], { typeUrl: "" })], ["-", "svid 1"]],
  ])("%s", (_title, events, answers) => {
    expect(run(events).answers).toEqual(answers);
  });

  it("gives each response the version of the snapshot and a nonce of its own", () => {
    const { steps } = run([
      have,
      first(["default"]),
      request({ resourceNames: ["default", "ROOTCA"], responseNonce: "s.1" }),
      secrets("v2", { default: "svid 2", ROOTCA: "roots 1" }),
    ]);
    expect(
      steps.flatMap(({ response }) => (response === undefined ? [] : [[response.versionInfo, response.nonce]])),
    ).toEqual([
      ["v1", "s.1"],
      ["v1", "s.2"],
      ["v2", "s.3"],
    ]);
  });
});
