import { RuntimeError } from "./errors.ts";

/** Where a process stands between its start and its end. */
export type ServingPhase = "starting" | "serving" | "draining";

/** What readiness endpoints ask; one owner moves it on. */
export interface ServingState {
  current(): ServingPhase;
  /** Moves on. Never backwards: back to an earlier phase throws `argument-invalid`; the same phase again is nothing. */
  set(next: ServingPhase): void;
}

const phases: readonly ServingPhase[] = ["starting", "serving", "draining"];

/**
 * A state that begins at "starting" and only moves forwards.
 * @example
 * ```ts
 * import { createServingState } from "@signet/runtime";
 * const state = createServingState();
 * state.set("serving");
 * state.current(); // "serving"
 * ```
 */
export function createServingState(): ServingState {
  let phase: ServingPhase = "starting";
  return {
    current: () => phase,
    set(next) {
      if (phases.indexOf(next) < phases.indexOf(phase)) {
        throw new RuntimeError("argument-invalid", `serving state cannot go back from ${phase} to ${next}`);
      }
      phase = next;
    },
  };
}
