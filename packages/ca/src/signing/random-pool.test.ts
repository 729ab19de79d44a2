import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRandomPool } from "./random-pool.ts";

describe("createRandomPool", () => {
  it("hands out every byte it draws once, in order, and draws seldom", () => {
    let drawn = 0;
    let counter = 0;
    const draw = createRandomPool((size) => {
      drawn++;
      return Uint8Array.from({ length: size }, () => counter++ % 251);
    });
    const handedOut = Array.from({ length: 600 }, () => [...draw(16)]).flat();
    expect(handedOut).toEqual(Array.from({ length: 9600 }, (_, index) => index % 251));
    expect(drawn).toBe(3);
  });

  it("does not repeat over many draws", () => {
    const draw = createRandomPool(randomBytes);
    const seen = new Set(Array.from({ length: 5000 }, () => Buffer.from(draw(16)).toString("hex")));
    expect(seen.size).toBe(5000);
  });

  it("serves more than a pool at once", () => {
    expect(createRandomPool(randomBytes)(10_000)).toHaveLength(10_000);
  });
});
