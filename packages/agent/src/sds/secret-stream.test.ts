import { create } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  advanceSecretStream,
  openSecretStream,
  type SecretRequest,
  type SecretSnapshot,
  type SecretStreamEvent,
  type SecretStreamStep,
  secretTypeUrl,
} from "./secret-stream.ts";

function material(text: string): Any {
  return create(AnySchema, { typeUrl: secretTypeUrl, value: new TextEncoder().encode(text) });
}

function textOf(resource: Any): string {
  return new TextDecoder().decode(resource.value);
}

/** A snapshot whose secrets are their own revisions, such as `{ default: "svid 1" }`. */
function snapshot(version: string, secrets: { readonly default?: string; readonly ROOTCA?: string }): SecretSnapshot {
  const entries = (["default", "ROOTCA"] as const).flatMap((name) => {
    const text = secrets[name];
    return text === undefined ? [] : [[name, { revision: text, resource: material(text) }] as const];
  });
  return { version, secrets: new Map(entries) };
}

function request(fields: Partial<SecretRequest>): SecretStreamEvent {
  return {
    kind: "request",
    request: { nodeId: "", typeUrl: secretTypeUrl, resourceNames: [], responseNonce: "", versionInfo: "", ...fields },
  };
}

function secrets(version: string, content: Parameters<typeof snapshot>[1]): SecretStreamEvent {
  return { kind: "secrets", snapshot: snapshot(version, content) };
}

/** Runs a stream over events; the answers in short: the texts sent, "-" for no response, "refused: ...". */
function run(events: readonly SecretStreamEvent[]): { readonly answers: string[]; readonly steps: SecretStreamStep[] } {
  const steps: SecretStreamStep[] = [];
  let state = openSecretStream("s");
  for (const event of events) {
    const step = advanceSecretStream(state, event);
    state = step.state;
    steps.push(step);
  }
  const answers = steps.map(({ response, refusal }) => {
    if (refusal !== undefined) return `refused: ${refusal}`;
    return response === undefined ? "-" : response.resources.map(textOf).join(" + ");
  });
  return { answers, steps };
}

const first = (names: readonly string[], fields: Partial<SecretRequest> = {}): SecretStreamEvent =>
  request({ nodeId: "node", resourceNames: names, ...fields });
const have = secrets("v1", { default: "svid 1", ROOTCA: "roots 1" });

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
