import { expect, test } from "vitest";
import { createStartQueue } from "./start-queue.ts";

/** Resolves when this turn of the event loop and what it has put off are over. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

test("starts what was added in its order, later and without waiting for it", async () => {
  const started: number[] = [];
  const queue = createStartQueue<number>((thing) => started.push(thing));
  for (let thing = 0; thing < 5; thing++) queue.add(thing);
  expect(started).toEqual([]);
  await nextTurn();
  expect(started).toEqual([0, 1, 2, 3, 4]);
  queue.add(5);
  await nextTurn();
  expect(started).toEqual([0, 1, 2, 3, 4, 5]);
});

test("lets the event loop turn between so many, and takes what is added meanwhile", async () => {
  const started: number[] = [];
  const queue = createStartQueue<number>((thing) => started.push(thing));
  for (let thing = 0; thing < 100; thing++) queue.add(thing);
  const seen: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    await nextTurn();
    seen.push(started.length);
    if (turn === 0) queue.add(100);
  }
  expect(seen).toEqual([32, 64, 96, 101, 101]);
  expect(started).toEqual(Array.from({ length: 101 }, (_, index) => index));
});
