import { errorMessage, RuntimeError } from "./errors.ts";

/** Something long-lived: runs until the signal aborts, then tidies up and returns. */
export type Task = {
  readonly name: string;
  /** Returns (or rejects with the signal's reason) soon after the abort; anything earlier is a failure of the group. */
  run(signal: AbortSignal): Promise<void>;
};

/**
 * Runs all tasks until `signal` aborts, then returns once every one of them has ended.
 *
 * The first task that fails, or returns without being asked to, stops the others; once all have ended its error is thrown with
 * the name of the task, and the names of tasks that failed after it. A task that rejects because of the abort has ended cleanly,
 * one that fails otherwise while stopping has not. Nothing is started when `signal` is aborted already.
 * @throws RuntimeError `task-failed` (`cause` is what the task threw) or `task-ended`
 * @example
 * ```ts
 * import { runGroup, systemClock } from "@signet/runtime";
 * const stop = new AbortController();
 * const group = runGroup([{ name: "idle", run: (signal) => systemClock.sleep(60_000, signal) }], stop.signal);
 * stop.abort();
 * await group;
 * ```
 */
export async function runGroup(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const stop = new AbortController();
  const groupSignal = AbortSignal.any([signal, stop.signal]);
  const failures: RuntimeError[] = [];

  async function runTask(task: Task): Promise<void> {
    try {
      await task.run(groupSignal);
      if (!groupSignal.aborted) failures.push(new RuntimeError("task-ended", `task "${task.name}" ended unexpectedly`));
    } catch (error) {
      if (!isAbort(error, groupSignal)) failures.push(taskFailure(task, error));
    }
    if (failures.length > 0) stop.abort();
  }

  await Promise.all(tasks.map(runTask));
  const [first, ...later] = failures;
  if (first === undefined) return;
  if (later.length > 0) first.message += `; while stopping, ${later.map((failure) => failure.message).join("; ")}`;
  throw first;
}

function taskFailure(task: Task, error: unknown): RuntimeError {
  return new RuntimeError("task-failed", `task "${task.name}" failed: ${errorMessage(error)}`, { cause: error });
}

/** Whether the error is only the abort coming back, as it is or wrapped as a cause (Node's own AbortError does that). */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  for (let link = error, depth = 0; depth < 8; depth += 1) {
    if (link === signal.reason) return true;
    if (!(link instanceof Error)) return false;
    if (link.name === "AbortError") return true;
    link = link.cause;
  }
  return false;
}
