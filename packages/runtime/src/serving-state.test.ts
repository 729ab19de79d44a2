import { describe, expect, it } from "vitest";
import { createServingState, type ServingPhase } from "./serving-state.ts";

describe("createServingState", () => {
  it("moves forwards, a phase may be left out", () => {
    const state = createServingState();
    expect(state.current()).toBe("starting");
    state.set("serving");
    state.set("serving");
    state.set("draining");
    expect(state.current()).toBe("draining");
    const failed = createServingState();
    failed.set("draining");
    expect(failed.current()).toBe("draining");
  });

  it.each<[ServingPhase, ServingPhase]>([
    ["draining", "serving"],
    ["draining", "starting"],
    ["serving", "starting"],
  ])("never goes back from %s to %s", (from, to) => {
    const state = createServingState();
    state.set(from);
    state.set(to);
    expect(state.current()).toBe(from);
  });
});
