import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MutualTlsMode, PeerAuthentication } from "./peer-authentication.ts";
import { type PeerMtls, peerMtls } from "./peer-mtls.ts";
import { parseWorkload } from "./workload.ts";

const rootNamespace = "istio-system";
const workload = parseWorkload("foo/app=httpbin,version=v1");

type Given = {
  readonly namespace?: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly mode?: MutualTlsMode;
  readonly ports?: Readonly<Record<number, MutualTlsMode>>;
  /** In seconds. */
  readonly born?: number;
};

function peer({ namespace = "foo", name = "p", labels, mode = "UNSET", ports = {}, born }: Given): PeerAuthentication {
  return {
    kind: "PeerAuthentication",
    ...{ namespace, name, mode, targetRefs: [], position: { file: "peers.yaml", line: 1, column: 1 } },
    portModes: new Map(Object.entries(ports).map(([port, ofPort]) => [Number(port), ofPort])),
    ...(labels !== undefined && { selector: { matchLabels: new Map(Object.entries(labels)) } }),
    ...(born !== undefined && { createdAt: new Date(born * 1000) }),
  };
}

function effective(...given: readonly Given[]): PeerMtls {
  return peerMtls(given.map(peer), workload, { rootNamespace });
}

const mesh = (mode: MutualTlsMode): Given => ({ namespace: rootNamespace, mode });
const app = { app: "httpbin" };

describe("spec 5: the mode that counts", () => {
  test.each<[string, readonly Given[], MutualTlsMode]>([
    ["no document is PERMISSIVE", [], "PERMISSIVE"],
    ["mesh", [mesh("STRICT")], "STRICT"],
    ["namespace over mesh", [mesh("STRICT"), { mode: "DISABLE" }], "DISABLE"],
    ["workload over namespace", [mesh("STRICT"), { mode: "DISABLE" }, { labels: app, mode: "STRICT" }], "STRICT"],
    ["an UNSET workload inherits from its namespace", [{ mode: "STRICT" }, { labels: app }], "STRICT"],
    ["an UNSET namespace inherits from the mesh", [mesh("STRICT"), {}, { labels: app }], "STRICT"],
    ["UNSET everywhere is PERMISSIVE", [mesh("UNSET"), {}, { labels: app }], "PERMISSIVE"],
    ["an empty selector is none", [{ labels: {}, mode: "STRICT" }], "STRICT"],
    ["another namespace", [{ namespace: "bar", mode: "STRICT" }], "PERMISSIVE"],
    ["labels that the workload does not bear", [{ labels: { ...app, version: "v2" }, mode: "STRICT" }], "PERMISSIVE"],
    ["labels of the workload, in another namespace", [{ namespace: "bar", labels: app, mode: "STRICT" }], "PERMISSIVE"],
    ["labels in the root namespace: silently ignored", [{ ...mesh("STRICT"), labels: app }], "PERMISSIVE"],
    [
      "the oldest of a scope",
      [
        { mode: "STRICT", born: 2 },
        { mode: "DISABLE", born: 1 },
        { mode: "PERMISSIVE", born: 3 },
      ],
      "DISABLE",
    ],
    ["the oldest, UNSET though it is", [{ mode: "STRICT", born: 2 }, { born: 1 }], "PERMISSIVE"],
    [
      "no age is the oldest",
      [
        { mode: "STRICT", born: 1 },
        { name: "z", mode: "DISABLE" },
      ],
      "DISABLE",
    ],
    [
      "of one age, by name",
      [
        { name: "b", mode: "STRICT" },
        { name: "a", mode: "DISABLE" },
      ],
      "DISABLE",
    ],
  ])("%s", (_name, given, mode) => {
    expect(effective(...given)).toEqual({ mode, portModes: new Map() });
  });

  test("the root namespace's own workloads obey the mesh's document", () => {
    const documents = [mesh("STRICT"), { ...mesh("DISABLE"), labels: app }].map(peer);
    expect(peerMtls(documents, parseWorkload(`${rootNamespace}/app=httpbin`), { rootNamespace }).mode).toBe("STRICT");
  });
});

describe("spec 5: ports", () => {
  test("have their own modes, and UNSET is the workload's", () => {
    const ports = { 8080: "DISABLE", 90: "UNSET" } as const;
    expect(effective(mesh("STRICT"), { labels: app, ports })).toEqual({
      mode: "STRICT",
      portModes: new Map([
        [90, "STRICT"],
        [8080, "DISABLE"],
      ]),
    });
  });

  test("of the younger of two documents count for nothing", () => {
    const given = [
      { name: "a", labels: app, mode: "STRICT", ports: { 80: "DISABLE" }, born: 2 },
      { name: "b", labels: { version: "v1" }, ports: { 90: "PERMISSIVE" }, born: 1 },
    ] as const;
    expect(effective(...given)).toEqual({ mode: "PERMISSIVE", portModes: new Map([[90, "PERMISSIVE"]]) });
  });
});

test("the order of documents does not matter", () => {
  const modes = fc.constantFrom<MutualTlsMode>("UNSET", "DISABLE", "PERMISSIVE", "STRICT");
  const given = fc.record(
    {
      namespace: fc.constantFrom("foo", "bar", rootNamespace),
      labels: fc.constantFrom({}, app, { version: "v2" }),
      mode: modes,
      ports: fc.dictionary(fc.constantFrom("80", "90"), modes),
      born: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: ["namespace", "mode"] },
  );
  const documents = fc.array(given, { maxLength: 6 }).map((all) => all.map((one, at) => ({ ...one, name: `p${at}` })));
  fc.assert(
    fc.property(
      documents.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        expect(effective(...shuffled)).toEqual(effective(...all));
      },
    ),
    { seed: 5, numRuns: 300 },
  );
});
