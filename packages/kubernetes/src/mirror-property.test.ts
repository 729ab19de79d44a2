import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deleteSecret, type Following, followSecrets, putSecret } from "./testing/follow-secrets.ts";
import type { WatchBreak } from "./testing.ts";

type Step =
  | { readonly kind: "put"; readonly name: string; readonly value: string }
  | { readonly kind: "delete"; readonly name: string }
  | { readonly kind: "break"; readonly how: WatchBreak }
  | { readonly kind: "forget" | "bookmark" | "heal" }
  | { readonly kind: "back"; readonly revisions: number }
  | { readonly kind: "fault"; readonly fault: "reset" | "half-open" | "garbage" | "truncated" | 429 | 500 }
  | { readonly kind: "wait"; readonly ms: number };

const name = fc.constantFrom("a", "b", "c", "d");
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("put" as const), name, value: fc.constantFrom("MQ==", "Mg==") }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), name }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("break" as const),
        how: fc.constantFrom<WatchBreak>("end", "cut", "gone", "error", "silent"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom("forget" as const, "bookmark" as const, "heal" as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("back" as const), revisions: fc.integer({ min: 60, max: 90 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("fault" as const),
        fault: fc.constantFrom(
          "reset" as const,
          "half-open" as const,
          "garbage" as const,
          "truncated" as const,
          429 as const,
          500 as const,
        ),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
    },
  ),
  { maxLength: 40 },
);

async function take(following: Following, step: Step): Promise<void> {
  const { clock, cluster } = following;
  switch (step.kind) {
    case "put":
      return putSecret(following, step.name, { value: step.value });
    case "delete":
      return deleteSecret(following, step.name);
    case "break":
      return cluster.breakWatches(step.how);
    case "forget":
      return cluster.forgetHistory();
    case "bookmark":
      return cluster.sendBookmarks();
    case "heal":
      return cluster.setFault(undefined);
    case "back":
      return cluster.turnBack(step.revisions);
    case "fault":
      return cluster.setFault(
        typeof step.fault === "number" ? { kind: "status", status: step.fault } : { kind: step.fault },
      );
    case "wait":
      return clock.advance(step.ms);
  }
}

describe("mirror, whatever happens", () => {
  it("equals the server's state once all is quiet, and was told of exactly the changes between", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), async (script, seed) => {
        const following = followSecrets({ seed });
        for (const step of script) await take(following, step);
        following.cluster.setFault(undefined);
        // Two minutes: one for silence to be noticed, the rest for a watch to end and backoff.
        await following.clock.advance(120_000);
        expect(following.copy.synced()).toBe(true);
        expect(following.held()).toEqual(following.truth());
        expect(replay(following.changes)).toEqual(following.truth());
        await following.stop();
      }),
      { numRuns: 300 },
    );
  });
});

/** What somebody holds who began with nothing and did as the listeners were told. */
function replay(changes: readonly string[]): readonly string[] {
  const objects = new Map<string, string>();
  for (const change of changes) {
    const [kind = "", value = ""] = change.split(" ");
    const key = value.split("=", 1)[0] ?? "";
    expect(objects.has(key)).toBe(kind !== "added");
    if (kind === "deleted") {
      expect(objects.get(key)).toBe(value);
      objects.delete(key);
    } else {
      objects.set(key, value);
    }
  }
  return [...objects.values()].sort();
}
