import { fakeSigningCa, signingCaSuite } from "@signet/ca/testing";
import { createSource, systemClock } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { createPendingCa } from "./pending-ca.ts";

const never = new AbortController().signal;

describe("a pending CA", () => {
  it("is not ready, and says so", async () => {
    const pending = createPendingCa();
    expect(pending.notAfterLimit()).toBeUndefined();
    expect(pending.trustBundle.current()).toBeUndefined();
    expect(pending.signingKeyInfo()).toBeUndefined();
    expect(pending.chain()).toEqual([]);
    expect(pending.health?.current()).toMatchObject({ state: "failing" });
    const request = {
      template: { spki: new Uint8Array(), subjectAltNames: [], notBefore: new Date(), notAfter: new Date() },
    };
    await expect(pending.sign(request, never)).rejects.toMatchObject({ code: "ca-not-ready" });
    await expect(pending.sign(request, AbortSignal.abort("gone"))).rejects.toBe("gone");
  });

  it("is the one that comes, for those too who have followed it from before", async () => {
    const pending = createPendingCa();
    const stop = new AbortController();
    const seen: unknown[] = [];
    const following = (async () => {
      for await (const bundle of pending.trustBundle.changes(stop.signal)) {
        seen.push(bundle);
        stop.abort();
      }
    })();
    const real = { ...(await fakeSigningCa({ name: "self-signed" })), revocationLists: createSource("crl") };
    pending.settle(real);
    await following;
    expect(seen).toEqual([real.trustBundle.current()]);
    expect([pending.name, pending.keyIsLocal]).toEqual(["self-signed", true]);
    expect(pending.notAfterLimit()).toEqual(real.notAfterLimit());
    expect(pending.revocationLists?.current()).toBe("crl");
    expect(pending.health?.current()).toBeUndefined();
  });

  it("ends those who follow it with their signal, whether one came or not", async () => {
    const stop = new AbortController();
    const bundles = createPendingCa().trustBundle.changes(stop.signal)[Symbol.asyncIterator]();
    const settled = createPendingCa();
    settled.settle(await fakeSigningCa());
    const lists = settled.revocationLists?.changes(stop.signal)[Symbol.asyncIterator]();
    const ends = Promise.all([bundles.next(), lists?.next()]);
    stop.abort();
    expect(await ends).toMatchObject([{ done: true }, { done: true }]);
  });
});

signingCaSuite(
  { describe, it },
  {
    name: "a CA that was pending",
    clock: systemClock,
    async create() {
      const pending = createPendingCa();
      pending.settle(await fakeSigningCa());
      return pending;
    },
  },
);
