/** One part of a shutdown and what it is called in the log. */
export type ShutdownStep = readonly [name: string, run: () => unknown];

/** A step that threw or rejected, and with what. */
export type FailedShutdownStep = { readonly step: string; readonly error: unknown };

/**
 * Takes the steps in order, each when the one before has ended; one that fails is told and does not keep the later ones from
 * their turn. Rejects only with what `onFailed` throws.
 * @example
 * ```ts
 * import { shutDownInOrder } from "@signet/runtime";
 * const background = new AbortController();
 * await shutDownInOrder([["stop tasks", () => background.abort()]], ({ step, error }) => console.error(step, error));
 * ```
 */
export async function shutDownInOrder(
  steps: readonly ShutdownStep[],
  onFailed: (failed: FailedShutdownStep) => void,
): Promise<void> {
  for (const [step, run] of steps) {
    try {
      await run();
    } catch (error) {
      onFailed({ step, error });
    }
  }
}
