import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advanceDeltaSecretStream,
  type DeltaSecretRequest,
  type DeltaSecretResponse,
  type DeltaSecretStreamState,
  openDeltaSecretStream,
} from "./delta-secret-stream.ts";
import type { SecretName } from "./secret-names.ts";
import { type SdsSecret, type SecretSnapshot, type SecretStreamNotice, secretTypeUrl } from "./secret-stream.ts";

/** One stream, driven by hand; every event returns what was answered. */
function openStream() {
  let state: DeltaSecretStreamState = openDeltaSecretStream("s");
  const notices: SecretStreamNotice[] = [];
  function advance(event: Parameters<typeof advanceDeltaSecretStream>[1]) {
    const step = advanceDeltaSecretStream(state, event);
    state = step.state;
    notices.push(...step.notices);
    if (step.refusal !== undefined) throw new Error(step.refusal);
    return step.response;
  }
  return {
    notices,
    state: () => state,
    ask: (request: Partial<DeltaSecretRequest>) => advance({ kind: "request", request: { ...silent, ...request } }),
    publish: (snapshot: SecretSnapshot) => advance({ kind: "secrets", snapshot }),
  };
}

const silent: DeltaSecretRequest = {
  nodeId: "node",
  typeUrl: "",
  subscribe: [],
  unsubscribe: [],
  initialVersions: new Map(),
  responseNonce: "",
};

function snapshotOf(version: string, revisions: Partial<Record<SecretName, string>>): SecretSnapshot {
  const resource = create(AnySchema, { typeUrl: secretTypeUrl });
  const entries = Object.entries(revisions).map(([name, revision]) => [name as SecretName, { revision, resource }]);
  return { version, secrets: new Map(entries as [SecretName, SdsSecret][]) };
}

function sentBy(response: DeltaSecretResponse | undefined): readonly string[] {
  return (response?.resources ?? []).map(({ name, revision }) => `${name} ${revision}`);
}

describe("an incremental SDS stream", () => {
  it("sends what is subscribed to, and then what changes of it alone", () => {
    const stream = openStream();
    stream.publish(snapshotOf("v1", { default: "1", ROOTCA: "1" }));
    const first = stream.ask({ subscribe: ["default", "ROOTCA"] });
    expect(sentBy(first)).toEqual(["default 1", "ROOTCA 1"]);
    expect(first?.removed).toEqual([]);
    expect(sentBy(stream.publish(snapshotOf("v2", { default: "2", ROOTCA: "1" })))).toEqual(["default 2"]);
    expect(stream.publish(snapshotOf("v3", { default: "2", ROOTCA: "1" }))).toBeUndefined();
  });

  it("says nothing of a name that has no material yet, and sends it once it has", () => {
    const stream = openStream();
    expect(stream.ask({ subscribe: ["default"] })).toBeUndefined();
    expect(stream.publish(snapshotOf("v1", { ROOTCA: "1" }))).toBeUndefined();
    expect(sentBy(stream.publish(snapshotOf("v2", { default: "1", ROOTCA: "1" })))).toEqual(["default 1"]);
  });

  it("refuses a client that subscribes to more and more, and forgets what it unsubscribes from", () => {
    const stream = openStream();
    const roots = (from: number): readonly string[] =>
      Array.from({ length: 5_000 }, (_, n) => `file-root:/${from + n}`);
    stream.ask({ subscribe: roots(0) });
    stream.ask({ subscribe: roots(5_000) });
    stream.ask({ subscribe: roots(10_000), unsubscribe: roots(0) });
    expect(stream.state().subscribed.size).toBe(10_000);
    expect(() => stream.ask({ subscribe: ["default"] })).toThrow("more than 10000 names on one stream");
  });

  it("lists an unknown name as removed, once for each time it is asked for, also before there is any material", () => {
    const stream = openStream();
    const first = stream.ask({ subscribe: ["kubernetes://tls", "default", "kubernetes://tls"] });
    expect([first?.removed, sentBy(first)]).toEqual([["kubernetes://tls"], []]);
    expect(stream.notices).toEqual([{ kind: "unknown-names", names: ["kubernetes://tls", "kubernetes://tls"] }]);
    const second = stream.publish(snapshotOf("v1", { default: "1" }));
    expect([second?.removed, sentBy(second)]).toEqual([[], ["default 1"]]);
    expect(stream.ask({ subscribe: ["kubernetes://tls"] })?.removed).toEqual(["kubernetes://tls"]);
  });

  it("gives nobody's key to who asks for all names", () => {
    const stream = openStream();
    stream.publish(snapshotOf("v1", { default: "1", ROOTCA: "1" }));
    expect(sentBy(stream.ask({ subscribe: ["*"] }))).toEqual([]);
    expect(stream.ask({})).toBeUndefined();
  });

  it("stops with an unsubscription, and sends again after a new subscription", () => {
    const stream = openStream();
    stream.publish(snapshotOf("v1", { default: "1" }));
    stream.ask({ subscribe: ["default"] });
    expect(stream.ask({ unsubscribe: ["default"] })).toBeUndefined();
    expect(stream.publish(snapshotOf("v2", { default: "2" }))).toBeUndefined();
    expect(sentBy(stream.ask({ subscribe: ["default"] }))).toEqual(["default 2"]);
    expect(sentBy(stream.ask({ subscribe: ["default"] }))).toEqual(["default 2"]);
  });

  it("sends nothing that the client holds from an earlier stream, and believes that of the first request alone", () => {
    const stream = openStream();
    stream.publish(snapshotOf("v1", { default: "1", ROOTCA: "1" }));
    const held = new Map([
      ["default", "1"],
      ["ROOTCA", "0"],
    ]);
    expect(sentBy(stream.ask({ subscribe: ["default", "ROOTCA"], initialVersions: held }))).toEqual(["ROOTCA 1"]);
    expect(sentBy(stream.ask({ subscribe: ["default"], initialVersions: held }))).toEqual(["default 1"]);
  });

  it("takes answers in any order, and tells of one to nothing", () => {
    const stream = openStream();
    stream.publish(snapshotOf("v1", { default: "1" }));
    const first = stream.ask({ subscribe: ["default"] });
    const second = stream.publish(snapshotOf("v2", { default: "2" }));
    stream.ask({ responseNonce: second?.nonce ?? "" });
    stream.ask({ responseNonce: first?.nonce ?? "", errorDetail: "bad key (code 13)" });
    stream.ask({ responseNonce: first?.nonce ?? "" });
    expect(stream.notices).toEqual([
      { kind: "acknowledged", versionInfo: "v2" },
      { kind: "rejected", versionInfo: "v1", reason: "bad key (code 13)" },
      { kind: "stale", responseNonce: first?.nonce },
    ]);
  });

  it("wants a node, and passes over other types", () => {
    expect(() => openStream().ask({ nodeId: "" })).toThrow("missing node information");
    const stream = openStream();
    stream.ask({ nodeId: "", typeUrl: "type.googleapis.com/istio.v1.HealthInformation" });
    expect(stream.notices[0]?.kind).toBe("foreign-type");
    expect(stream.state().identified).toBe(false);
  });

  it("remembers no unknown name and a bounded number of responses", () => {
    const stream = openStream();
    for (let n = 0; n < 10_000; n += 1) stream.ask({ subscribe: [`name-${n}`] });
    expect(stream.state().subscribed.size).toBe(0);
    expect(stream.state().unanswered.length).toBeLessThanOrEqual(64);
  });
});

const nameOf = fc.constantFrom("default", "ROOTCA", "other", "*", "");
const requests = fc.record({
  subscribe: fc.array(nameOf, { maxLength: 3 }),
  unsubscribe: fc.array(nameOf, { maxLength: 2 }),
  responseNonce: fc.constantFrom("", "s.1", "s.2", "x"),
});
const revisions = fc.record(
  { default: fc.constantFrom("1", "2"), ROOTCA: fc.constantFrom("1", "2") },
  { requiredKeys: [] },
);

describe("whatever a client says", () => {
  it("it holds the newest material of what it is subscribed to, and gets nothing that it did not ask for", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(requests, revisions), { maxLength: 30 }), (inputs) => {
        const stream = openStream();
        const held = new Map<string, string>();
        const wanted = new Set<string>();
        let snapshot = snapshotOf("v0", {});
        for (const input of inputs) {
          const isRequest = "subscribe" in input;
          if (isRequest) {
            for (const name of input.subscribe) wanted.add(name);
            for (const name of input.unsubscribe) wanted.delete(name);
            for (const name of input.subscribe) held.delete(name);
          } else {
            // Material never goes away.
            const newer = snapshotOf("v", input as Partial<Record<SecretName, string>>);
            snapshot = { version: "v", secrets: new Map([...snapshot.secrets, ...newer.secrets]) };
          }
          const response = isRequest ? stream.ask(input) : stream.publish(snapshot);
          for (const { name, revision } of response?.resources ?? []) {
            expect(wanted).toContain(name);
            held.set(name, revision);
          }
          for (const name of response?.removed ?? []) expect(["other", "*", ""]).toContain(name);
          for (const name of ["default", "ROOTCA"] as const) {
            if (wanted.has(name)) expect(held.get(name)).toBe(snapshot.secrets.get(name)?.revision);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
