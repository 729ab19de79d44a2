import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createDueList } from "./due-list.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function listOf(afterMs: number) {
  const due: string[] = [];
  return { due, list: createDueList<string>(afterMs, (thing) => due.push(thing)) };
}

describe("a due list", () => {
  test("calls each thing the same time after it was added", () => {
    const { due, list } = listOf(100);
    list.add("a");
    vi.advanceTimersByTime(60);
    list.add("b");
    vi.advanceTimersByTime(39);
    expect(due).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(due).toEqual(["a"]);
    vi.advanceTimersByTime(59);
    expect(due).toEqual(["a"]);
    vi.advanceTimersByTime(1);
    expect(due).toEqual(["a", "b"]);
  });

  test("does not call what was deleted, and is as punctual for the next", () => {
    const { due, list } = listOf(100);
    list.add("a");
    vi.advanceTimersByTime(50);
    list.add("b");
    list.delete("a");
    vi.advanceTimersByTime(99);
    expect(due).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(due).toEqual(["b"]);
  });

  test("has one timer for all, and none when nothing is left", () => {
    const { due, list } = listOf(100);
    for (const thing of ["a", "b", "c"]) list.add(thing);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(100);
    expect(due).toEqual(["a", "b", "c"]);
    expect(vi.getTimerCount()).toBe(0);
    list.add("d");
    vi.advanceTimersByTime(100);
    expect(due).toEqual(["a", "b", "c", "d"]);
  });

  test("goes on when something is added or deleted as another falls due", () => {
    const due: string[] = [];
    const list = createDueList<string>(100, (thing) => {
      due.push(thing);
      list.delete("b");
      if (thing === "a") list.add("c");
    });
    list.add("a");
    list.add("b");
    vi.advanceTimersByTime(100);
    expect(due).toEqual(["a"]);
    vi.advanceTimersByTime(100);
    expect(due).toEqual(["a", "c"]);
  });

  test("of things that never fall due has no timer", () => {
    const { due, list } = listOf(Number.POSITIVE_INFINITY);
    list.add("a");
    list.delete("a");
    expect(vi.getTimerCount()).toBe(0);
    expect(due).toEqual([]);
  });
});
