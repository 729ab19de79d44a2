import { kubernetesIdentityOf, parseSpiffeId, parseTrustDomain, trustDomainOf } from "@signet/spiffe";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Caller } from "./caller.ts";
import { authorizeImpersonation, type IndexedPod } from "./impersonation.ts";
import { podIndex } from "./testing/pod-index.ts";

const trustDomain = parseTrustDomain("cluster.local");
const alias = parseTrustDomain("old.example");
const proxyId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/ztunnel");

describe("authorizeImpersonation, whatever is asked", () => {
  const names = fc.constantFrom("demo", "ztunnel");
  const nodes = fc.constantFrom("node-1", "node-2", "");
  const pod: fc.Arbitrary<IndexedPod> = fc.record({
    namespace: names,
    name: fc.constantFrom("a", "b", "c"),
    uid: fc.constantFrom("1", "2", ""),
    serviceAccount: names,
    nodeName: nodes,
    phase: fc.constantFrom("Pending", "Running", "Running", "Running", "Succeeded", "Failed", "Unknown"),
  });
  const piece = fc.oneof(
    names,
    fc.constantFrom(
      "spiffe://",
      "cluster.local",
      "old.example",
      "victim.example",
      "/ns/",
      "/sa/",
      "/",
      ",",
      "%2F",
      "\0",
    ),
    fc.string({ maxLength: 4, unit: "binary" }),
  );
  const identity = fc
    .tuple(fc.constantFrom("cluster.local", "old.example", "victim.example"), names, names)
    .map(([domain, namespace, account]) => `spiffe://${domain}/ns/${namespace}/sa/${account}`);
  const requested = fc.oneof(
    identity,
    fc.tuple(piece, identity, piece).map((parts) => parts.join("")),
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join("")),
  );
  const claims = fc.record(
    {
      namespace: names,
      serviceAccount: names,
      podName: fc.constantFrom("a", "b", ""),
      podUid: fc.constantFrom("1", "2", ""),
      nodeName: fc.constantFrom("node-1", "node-2"),
      clusterId: fc.constantFrom("Kubernetes", "other"),
    },
    { requiredKeys: [] },
  );
  /** Pods, and the claims of a token that is bound to one of them, or nearly so. */
  const asked = fc
    .tuple(pod, fc.array(pod, { maxLength: 24 }), fc.oneof(fc.constant({}), claims))
    .map(([own, others, change]) => {
      const { namespace, serviceAccount, name, uid } = own;
      const pods = [own, ...others];
      return {
        pods,
        bound: { namespace, serviceAccount, podName: name, podUid: uid, clusterId: "Kubernetes", ...change },
      };
    });

  it("names exactly the account of a pod that lives on the caller's node, in our trust domain", () => {
    let answered = 0;
    const trustedNodeAccounts = new Set(["demo/ztunnel", "demo/demo"]);
    fc.assert(
      fc.property(asked, requested, ({ pods, bound }, text) => {
        const caller: Caller = { spiffeId: proxyId, source: "token", kubernetes: bound };
        const outcome = authorizeImpersonation(
          { caller, requested: text },
          {
            trustedNodeAccounts,
            trustDomain,
            trustDomainAliases: new Set([alias]),
            podIndexOf: (clusterId) => (clusterId === "Kubernetes" ? podIndex(pods) : undefined),
          },
        );
        if (outcome.kind !== "permitted") return;
        answered++;
        const { spiffeId } = outcome.caller;
        const { namespace, serviceAccount } = kubernetesIdentityOf(spiffeId) ?? {};
        const own = pods.filter((each) => each.name === bound.podName && each.uid === bound.podUid);
        const here = own.map(({ nodeName }) => nodeName).filter((node) => node !== "");
        const vouching = pods.filter(
          (each) =>
            each.namespace === namespace && each.serviceAccount === serviceAccount && here.includes(each.nodeName),
        );
        expect(vouching.some(({ phase }) => phase === "Running" || phase === "Pending")).toBe(true);
        expect(trustDomainOf(spiffeId)).toBe(trustDomain);
        expect(spiffeId).toBe(text.replace(alias, trustDomain));
        expect(outcome.caller.impersonator).toBe(proxyId);
        expect(outcome.caller.kubernetes).toBeUndefined();
        expect(bound.clusterId).toBe("Kubernetes");
        expect(trustedNodeAccounts).toContain(`${bound.namespace}/${bound.serviceAccount}`);
      }),
      { numRuns: 20_000, seed: 5 },
    );
    expect(answered).toBeGreaterThan(100);
  });
});
