import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TargetReference, WorkloadSelector } from "./attachment.ts";
import { type Selectable, type SelectOptions, selectDocuments } from "./select-documents.ts";
import { parseWorkload, type Workload } from "./workload.ts";

const istio: SelectOptions = { rootNamespace: "istio-system" };
const gatewayApi = "gateway.networking.k8s.io";
const sidecar = parseWorkload("foo/app=httpbin,version=v1");
const gateway = parseWorkload(`foo/app=httpbin,${gatewayApi}/gateway-name=gw`);
const waypoint: Workload = {
  ...gateway,
  waypointFor: [
    { kind: "Service", namespace: "foo", name: "httpbin" },
    { kind: "ServiceEntry", namespace: "bar", name: "external" },
  ],
};

const labels = (text: string): WorkloadSelector => ({ matchLabels: parseWorkload(`x/${text}`).labels });
const selects = (document: Partial<Selectable>, workload: Workload, options = istio): boolean =>
  selectDocuments([{ kind: "RequestAuthentication", name: "a", targetRefs: [], ...document }], workload, options)
    .length > 0;
const target = (group: string, kind: string, name: string): readonly TargetReference[] => [{ group, kind, name }];

describe("a document without targetRefs attaches", () => {
  it.each<[string, Partial<Selectable>, boolean]>([
    ["to its own namespace", { namespace: "foo" }, true],
    ["to no other namespace", { namespace: "bar" }, false],
    ["to every namespace from the root namespace", { namespace: "istio-system" }, true],
    ["with an empty selector to all", { namespace: "foo", selector: { matchLabels: new Map() } }, true],
    ["where its labels are a part of the workload's", { namespace: "foo", selector: labels("app=httpbin") }, true],
    ["not where a label is another", { namespace: "foo", selector: labels("app=httpbin,version=v2") }, false],
    ["not where a label is missing", { namespace: "foo", selector: labels("team=a") }, false],
    ["not where an empty label is missing", { namespace: "foo", selector: labels("team=") }, false],
    ["by labels from the root namespace", { namespace: "istio-system", selector: labels("version=v1") }, true],
    ["not by other labels from the root namespace", { namespace: "istio-system", selector: labels("app=a") }, false],
    ["anywhere, where its namespace is not known", { selector: labels("app=httpbin") }, true],
  ])("%s", (_, document, expected) => expect(selects(document, sidecar)).toBe(expected));

  it("to a gateway of the Gateway API, unless that is switched off", () => {
    const off = { ...istio, selectorsReachGateways: false };
    expect(selects({ namespace: "foo" }, gateway)).toBe(true);
    expect(selects({ namespace: "foo", selector: labels("app=httpbin") }, gateway)).toBe(true);
    expect(selects({ namespace: "foo" }, gateway, off)).toBe(false);
    expect(selects({ namespace: "foo" }, sidecar, off)).toBe(true);
  });

  it.each(["foo", "istio-system"])("never to a waypoint, from %s", (namespace) => {
    expect(selects({ namespace }, waypoint)).toBe(false);
  });
});

describe("a document whose targets are not known attaches", () => {
  const off = { ...istio, selectorsReachGateways: false };
  it.each<[string, Partial<Selectable>, Workload, boolean]>([
    ["to a gateway, whatever selectors reach", { namespace: "foo" }, gateway, true],
    ["to a waypoint of its namespace", { namespace: "foo" }, waypoint, true],
    ["to a waypoint before a service of its namespace", { namespace: "bar" }, waypoint, true],
    ["to all from the root namespace", { namespace: "istio-system" }, waypoint, true],
    ["to all where its namespace is not known", {}, waypoint, true],
    ["to a sidecar", { namespace: "foo" }, sidecar, true],
    ["to none of another namespace", { namespace: "other" }, waypoint, false],
    ["to no sidecar of another namespace", { namespace: "bar" }, sidecar, false],
  ])("%s", (_, document, workload, expected) =>
    expect(selects({ ...document, targetsUnknown: true }, workload, off)).toBe(expected),
  );
});

describe("a document with targetRefs attaches", () => {
  const gw = target(gatewayApi, "Gateway", "gw");
  it.each<[string, Partial<Selectable>, Workload, boolean]>([
    ["never to a sidecar", { namespace: "foo", targetRefs: gw }, sidecar, false],
    ["to the gateway of that name", { namespace: "foo", targetRefs: gw }, gateway, true],
    [
      "to no gateway of another name",
      { namespace: "foo", targetRefs: target(gatewayApi, "Gateway", "a") },
      gateway,
      false,
    ],
    [
      "not by a Gateway of another group",
      { namespace: "foo", targetRefs: target("a.b", "Gateway", "gw") },
      gateway,
      false,
    ],
    ["not from another namespace", { namespace: "bar", targetRefs: gw }, gateway, false],
    ["not from the root namespace", { namespace: "istio-system", targetRefs: gw }, gateway, false],
    [
      "not to a gateway by a service",
      { namespace: "foo", targetRefs: target("", "Service", "httpbin") },
      gateway,
      false,
    ],
    [
      "where one of several is meant",
      { namespace: "foo", targetRefs: [...target("", "Service", "a"), ...gw] },
      gateway,
      true,
    ],
    [
      "by them where there is a selector too",
      { namespace: "foo", targetRefs: gw, selector: labels("app=a") },
      gateway,
      true,
    ],
    ["to the waypoint of that name", { namespace: "foo", targetRefs: gw }, waypoint, true],
    ["to a waypoint by a service", { namespace: "foo", targetRefs: target("", "Service", "httpbin") }, waypoint, true],
    [
      "by a service of group core",
      { namespace: "foo", targetRefs: target("core", "Service", "httpbin") },
      waypoint,
      true,
    ],
    [
      "by no service of another namespace",
      { namespace: "bar", targetRefs: target("", "Service", "httpbin") },
      waypoint,
      false,
    ],
    [
      "by a service entry, in its own namespace",
      { namespace: "bar", targetRefs: target("networking.istio.io", "ServiceEntry", "external") },
      waypoint,
      true,
    ],
    [
      "by no service that is a service entry",
      { namespace: "bar", targetRefs: target("", "Service", "external") },
      waypoint,
      false,
    ],
    [
      "to waypoints by their class, from the root namespace",
      { namespace: "istio-system", targetRefs: target(gatewayApi, "GatewayClass", "istio-waypoint") },
      waypoint,
      true,
    ],
    [
      "by the class from no other",
      { namespace: "foo", targetRefs: target(gatewayApi, "GatewayClass", "istio-waypoint") },
      waypoint,
      false,
    ],
    [
      "by no other class",
      { namespace: "istio-system", targetRefs: target(gatewayApi, "GatewayClass", "istio") },
      waypoint,
      false,
    ],
    [
      "by the class to no gateway",
      { namespace: "istio-system", targetRefs: target(gatewayApi, "GatewayClass", "istio-waypoint") },
      gateway,
      false,
    ],
  ])("%s", (_, document, workload, expected) => expect(selects(document, workload)).toBe(expected));
});

it("selects the same in the same order, whatever the order of the documents", () => {
  const name = fc.constantFrom("a", "b", "foo", "istio-system");
  const document = fc.record({
    kind: fc.constantFrom("RequestAuthentication", "PeerAuthentication"),
    namespace: name,
    name,
    selector: fc.constantFrom(undefined, labels("app=httpbin"), labels("app=x")),
    targetRefs: fc.constantFrom([], target(gatewayApi, "Gateway", "gw")),
  });
  const different = fc.uniqueArray(document, { selector: (one) => `${one.kind}/${one.namespace}/${one.name}` });
  const shuffled = different.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
  );
  fc.assert(
    fc.property(shuffled, fc.constantFrom(sidecar, gateway, waypoint), ([all, other], workload) => {
      const plain = (documents: typeof all): readonly Selectable[] =>
        selectDocuments(
          documents.map(({ selector, ...rest }) => ({ ...rest, ...(selector && { selector }) })),
          workload,
          istio,
        );
      expect(plain(other)).toEqual(plain(all));
    }),
    { numRuns: 300 },
  );
});
