import fc from "fast-check";
import { expect, test } from "vitest";
import { createInbox } from "./inbox.ts";

test("pulls once for every message its reader waits for, and never ahead", async () => {
  let pulls = 0;
  const inbox = createInbox<number>(() => {
    pulls += 1;
    inbox.push(pulls);
  });
  expect(pulls).toBe(0);
  expect(await inbox.next()).toEqual({ done: false, value: 1 });
  expect(pulls).toBe(1);
  expect(await Promise.all([inbox.next(), inbox.next()])).toMatchObject([{ value: 2 }, { value: 3 }]);
  expect(pulls).toBe(3);
});

test("gives readers that wait at the same time one message each, in their order", async () => {
  let pulls = 0;
  const inbox = createInbox<string>(() => {
    pulls += 1;
  });
  const reads = [inbox.next(), inbox.next()];
  inbox.push("a");
  inbox.push("b");
  expect(await Promise.all(reads)).toMatchObject([{ value: "a" }, { value: "b" }]);
  expect(pulls).toBe(2);
});

test("ends after what is here already, and stays ended", async () => {
  const inbox = createInbox<string>(() => {});
  inbox.push("a");
  inbox.end();
  inbox.push("too late");
  expect(await Array.fromAsync(inbox)).toEqual(["a"]);
  expect(await inbox.next()).toEqual({ done: true, value: undefined });
});

test("fails every read with the first reason, and drops what was not read", async () => {
  const inbox = createInbox<string>(() => {});
  const waiting = inbox.next();
  inbox.fail(new Error("first"));
  inbox.fail(new Error("second"));
  inbox.push("dropped");
  await expect(waiting).rejects.toThrow("first");
  await expect(inbox.next()).rejects.toThrow("first");
});

test("a reader that leaves releases whoever waits", async () => {
  const inbox = createInbox<string>(() => {});
  const waiting = inbox.next();
  inbox.push("a");
  await waiting;
  const blocked = inbox.next();
  await inbox.return?.();
  expect(await blocked).toEqual({ done: true, value: undefined });
});

test("keeps the order of messages whatever the order of pushes and reads", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean()), async (pushes) => {
      const inbox = createInbox<number>(() => {});
      let pushed = 0;
      const reads: Promise<IteratorResult<number, undefined>>[] = [];
      for (const push of pushes) {
        if (push) inbox.push(pushed++);
        else reads.push(inbox.next());
      }
      inbox.end();
      const seen = (await Promise.all(reads)).flatMap((read) => (read.done ? [] : [read.value]));
      expect(seen).toEqual(Array.from({ length: Math.min(pushed, reads.length) }, (_, index) => index));
    }),
  );
});
