import type { Logger } from "@signet/runtime";
import { authzEvents, logEvent } from "./events.ts";

/** One part of a shutdown and what it is called in the log. */
export type ShutdownStep = readonly [name: string, run: () => unknown];

/** Takes the steps in order; one that fails is logged and does not keep the later ones from their turn. Never rejects. */
export async function shutDownInOrder(steps: readonly ShutdownStep[], logger: Logger): Promise<void> {
  for (const [step, run] of steps) {
    try {
      await run();
    } catch (error) {
      logEvent(logger, authzEvents.shutdownStepFailed, { step, error });
    }
  }
}
