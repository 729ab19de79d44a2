import { type SecretSnapshot, secretStreams, testSnapshot } from "@signet/agent/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bounded, fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { name, names, nonce, served } from "./support/sds-names.ts";

const common = {
  nodeId: fc.constantFrom("node", "node", "node", ""),
  typeUrl: fc.constantFrom("", "", "", "type.googleapis.com/envoy.config.cluster.v3.Cluster"),
  responseNonce: nonce,
  errorDetail: fc.option(fc.string({ maxLength: 8 }), { nil: undefined, freq: 3 }),
};
const versions = fc.constantFrom("", "1", "2", "3");
const snapshots = fc
  .record({ version: fc.constantFrom("1", "2", "3"), names: fc.subarray(served) })
  .map(({ version, names: present }) => testSnapshot(version, present));
const wholeRequest = fc.record({ ...common, resourceNames: names, versionInfo: versions });
const deltaRequest = fc.record({
  ...common,
  subscribe: names,
  unsubscribe: names,
  initialVersions: fc.array(fc.tuple(name, versions), { maxLength: 3 }).map((entries) => new Map(entries)),
});

function eventsOf<R>(request: fc.Arbitrary<R>) {
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: request.map(withoutUndefined).map((of) => ({ kind: "request", request: of }) as const) },
      { weight: 1, arbitrary: snapshots.map((snapshot) => ({ kind: "secrets", snapshot }) as const) },
    ),
    { maxLength: 30, size: "max" },
  );
}

type Defined<R> = Omit<R, "errorDetail"> & { readonly errorDetail?: string };

/** An error that is not there has no field. */
function withoutUndefined<R>(request: R): Defined<R> {
  const entries = Object.entries(request as object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<R>;
}

type Sent = { readonly nonce: string; readonly names: readonly string[]; readonly resources: readonly unknown[] };

/** What holds of every response: what was asked for, by its exact name, of the newest snapshot, under a new nonce. */
function checkSent(
  { nonce: sent, names: sentNames, resources }: Sent,
  asked: ReadonlySet<string>,
  nonces: Set<string>,
  newest?: SecretSnapshot,
) {
  expect(nonces.has(sent)).toBe(false);
  nonces.add(sent);
  expect(new Set(sentNames).size).toBe(sentNames.length);
  expect(resources).toHaveLength(sentNames.length);
  for (const [index, each] of sentNames.entries()) {
    expect(asked.has(each)).toBe(true);
    expect(resources[index]).toBe(newest?.secrets.get(each)?.resource);
  }
}

describe("the state machines of SDS, whatever a client sends", () => {
  it(
    "state of the world: never a secret that the newest request does not name",
    () => {
      const { open, advance } = secretStreams.stateOfTheWorld;
      fc.assert(
        fc.property(eventsOf(wholeRequest), (events) => {
          let state = open("s");
          let asked: ReadonlySet<string> = new Set();
          let newest: SecretSnapshot | undefined;
          const nonces = new Set<string>();
          for (const event of events) {
            const step = bounded(() => advance(state, event));
            if (step.refusal !== undefined) return;
            state = step.state;
            if (event.kind === "secrets") newest = event.snapshot;
            else if (event.request.typeUrl === "") asked = new Set(event.request.resourceNames);
            if (step.response === undefined) continue;
            expect(step.response.names.length).toBeGreaterThan(0);
            checkSent(step.response, asked, nonces, newest);
          }
        }),
        fuzzParameters(0.02),
      );
    },
    fuzzTimeoutMs,
  );

  it(
    "incremental: never a secret that is not subscribed to, and removed is only what was just asked for",
    () => {
      const { open, advance } = secretStreams.incremental;
      fc.assert(
        fc.property(eventsOf(deltaRequest), (events) => {
          let state = open("s");
          const asked = new Set<string>();
          let newest: SecretSnapshot | undefined;
          const nonces = new Set<string>();
          for (const event of events) {
            const step = bounded(() => advance(state, event));
            if (step.refusal !== undefined) return;
            state = step.state;
            if (event.kind === "secrets") newest = event.snapshot;
            else if (event.request.typeUrl === "") {
              for (const each of event.request.subscribe) asked.add(each);
              for (const each of event.request.unsubscribe) asked.delete(each);
            }
            if (step.response === undefined) continue;
            const { names: sentNames, removed, resources } = step.response;
            expect(sentNames.length + removed.length).toBeGreaterThan(0);
            const justAsked = new Set(event.kind === "request" ? event.request.subscribe : []);
            for (const each of removed) expect([justAsked.has(each), served.includes(each)]).toEqual([true, false]);
            checkSent(
              { ...step.response, resources: resources.map(({ resource }) => resource) },
              asked,
              nonces,
              newest,
            );
          }
        }),
        fuzzParameters(0.015),
      );
    },
    fuzzTimeoutMs,
  );
});
