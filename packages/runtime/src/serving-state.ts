/** Where a process stands between its start and its end. */
export type ServingPhase = "starting" | "serving" | "draining";

/** What readiness endpoints ask; one owner moves it on. */
export interface ServingState {
  current(): ServingPhase;
  /** Moves on; a step back changes nothing, so that a start which completes during the shutdown does not undo it. */
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
      if (phases.indexOf(next) > phases.indexOf(phase)) phase = next;
    },
  };
}
