import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import type { TokenVerdict } from "./token-checker.ts";
import { createVerdictCache } from "./verdict-cache.ts";

const verdict: TokenVerdict = { kind: "known", holder: { namespace: "demo", serviceAccount: "frontend" } };

describe("the verdict cache", () => {
  it("forgets what was used least recently when it is full", () => {
    const cache = createVerdictCache({ maxEntries: 2 }, new FakeClock());
    cache.set("a", verdict, { ttlMs: 1_000 });
    cache.set("b", verdict, { ttlMs: 1_000 });
    expect(cache.get("a")).toBe(verdict);
    cache.set("c", verdict, { ttlMs: 1_000 });
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([verdict, undefined, verdict]);
  });

  it("keeps nothing that is over already", () => {
    const clock = new FakeClock();
    const cache = createVerdictCache({ maxEntries: 2 }, clock);
    cache.set("a", verdict, { ttlMs: 1_000, until: clock.now() });
    cache.set("b", verdict, { ttlMs: 0 });
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, undefined]);
  });

  it("keeps nothing until an instant that is none", () => {
    const clock = new FakeClock();
    const cache = createVerdictCache({ maxEntries: 2 }, clock);
    cache.set("a", verdict, { ttlMs: 1_000, until: new Date(1e300) });
    expect(cache.get("a")).toBeUndefined();
  });
});
