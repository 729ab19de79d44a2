import { describe, expect, it } from "vitest";
import { runGroup, type Task } from "./run-group.ts";
import { FakeClock } from "./testing.ts";

const never = new AbortController().signal;

function task(name: string, run: Task["run"]): Task {
  return { name, run };
}

function forever(name: string): Task {
  return task(name, (signal) => new FakeClock().sleep(Number.POSITIVE_INFINITY, signal));
}

describe("runGroup", () => {
  it("returns cleanly once every task has ended after the abort", async () => {
    const stop = new AbortController();
    const ended: string[] = [];
    const clock = new FakeClock();
    const slow = task("slow", async (signal) => {
      await clock.sleep(1_000_000, signal).catch(() => undefined);
      await clock.sleep(500, never);
      ended.push("slow");
    });
    const group = runGroup([slow, forever("other")], stop.signal).then(() => ended.push("group"));
    await clock.advance(1);
    stop.abort();
    await clock.advance(499);
    expect(ended).toEqual([]);
    await clock.advance(1);
    await group;
    expect(ended).toEqual(["slow", "group"]);
  });

  it("stops the others on a failure, waits for them and names the task", async () => {
    const ended: string[] = [];
    const other = task("other", async (signal) => {
      await forever("")
        .run(signal)
        .catch(() => undefined);
      await Promise.resolve();
      ended.push("other");
    });
    const cause = new Error("disk full");
    const failing = task("writer", async () => {
      throw cause;
    });
    await expect(runGroup([other, failing], never)).rejects.toMatchObject({
      code: "task-failed",
      message: 'task "writer" failed: disk full',
      cause,
    });
    expect(ended).toEqual(["other"]);
  });

  it("takes what a task throws before its first await as a failure too", async () => {
    const failing = task("writer", () => {
      throw new Error("disk full");
    });
    await expect(runGroup([forever("other"), failing], never)).rejects.toMatchObject({ code: "task-failed" });
  });

  it("takes a return without an abort as a failure", async () => {
    await expect(runGroup([forever("other"), task("short", async () => {})], never)).rejects.toMatchObject({
      code: "task-ended",
      message: 'task "short" ended unexpectedly',
    });
  });

  it("names the tasks that fail while stopping, after the first", async () => {
    const first = task("first", async () => {
      throw new Error("disk full");
    });
    const second = task("second", async (signal) => {
      await forever("")
        .run(signal)
        .catch(() => undefined);
      throw new Error("cannot flush");
    });
    await expect(runGroup([second, first], never)).rejects.toMatchObject({
      message: 'task "first" failed: disk full; while stopping, task "second" failed: cannot flush',
    });
  });

  it("reports a task that fails while stopping", async () => {
    const stop = new AbortController();
    const failing = task("writer", async (signal) => {
      await forever("")
        .run(signal)
        .catch(() => undefined);
      throw new Error("cannot flush");
    });
    const group = runGroup([failing], stop.signal);
    stop.abort();
    await expect(group).rejects.toMatchObject({ code: "task-failed" });
  });

  it.each([
    ["the reason itself", (signal: AbortSignal) => signal.reason],
    ["an AbortError", () => new DOMException("aborted", "AbortError")],
    ["the reason as a cause", (signal: AbortSignal) => new Error("call failed", { cause: signal.reason })],
  ])("takes a rejection with %s after the abort as a clean end", async (_, errorOf) => {
    const stop = new AbortController();
    const aborted = task("caller", async (signal) => {
      await forever("")
        .run(signal)
        .catch(() => undefined);
      throw errorOf(signal);
    });
    const group = runGroup([aborted], stop.signal);
    stop.abort();
    await group;
  });

  it("starts nothing when aborted before", async () => {
    let started = false;
    const starter = task("starter", async () => {
      started = true;
    });
    await runGroup([starter], AbortSignal.abort());
    expect(started).toBe(false);
  });
});
