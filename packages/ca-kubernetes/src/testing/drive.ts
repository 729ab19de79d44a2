import type { FakeClock } from "@signet/runtime/testing";

const longestMs = 10_000;

/** Moves the clock on in steps until `work` has settled, however much real work lies between two sleeps. */
export async function drive<T>(clock: FakeClock, work: Promise<T>, stepMs = 100): Promise<T> {
  let settled = false;
  const done = (): void => {
    settled = true;
  };
  work.then(done, done);
  const startedAt = performance.now();
  while (!settled) {
    if (performance.now() - startedAt > longestMs) throw new Error("work did not settle within 10 seconds");
    await clock.advance(stepMs);
  }
  return await work;
}

/** Moves the clock on in steps until `condition` holds. */
export async function driveUntil(clock: FakeClock, condition: () => boolean, stepMs = 100): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > longestMs) throw new Error("condition did not hold within 10 seconds");
    await clock.advance(stepMs);
  }
}
