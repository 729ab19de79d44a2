import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { withDeadline } from "./deadline.ts";
import { FakeClock } from "./testing.ts";

const never = new AbortController().signal;
const hang = (): Promise<never> => new Promise(() => {});

describe("withDeadline", () => {
  it("gives the result and leaves neither timer nor listener behind", async () => {
    const clock = new FakeClock();
    const outer = new AbortController();
    const result = await withDeadline({ clock, ms: 1_000, what: "work" }, async () => 42, outer.signal);
    expect(result).toBe(42);
    expect(clock.sleepers()).toBe(0);
    expect(getEventListeners(outer.signal, "abort")).toHaveLength(0);
  });

  it("passes on what the work throws", async () => {
    const work = async (): Promise<never> => {
      throw new Error("refused");
    };
    await expect(withDeadline({ clock: new FakeClock(), ms: 1_000, what: "work" }, work, never)).rejects.toThrow(
      "refused",
    );
  });

  it("rejects at the deadline, aborts the work and does not wait for it", async () => {
    const clock = new FakeClock();
    let inner: AbortSignal | undefined;
    const result = withDeadline(
      { clock, ms: 90_000, what: "fetching keys" },
      (signal) => {
        inner = signal;
        return hang();
      },
      never,
    );
    result.catch(() => undefined);
    await clock.advance(89_999);
    expect(inner?.aborted).toBe(false);
    await clock.advance(1);
    await expect(result).rejects.toMatchObject({
      code: "deadline-exceeded",
      message: "fetching keys took longer than 1m30s",
    });
    expect(inner?.reason).toMatchObject({ code: "deadline-exceeded" });
  });

  it("rejects with the reason on abort, also when the work does not listen", async () => {
    const clock = new FakeClock();
    const outer = new AbortController();
    let inner: AbortSignal | undefined;
    const result = withDeadline(
      { clock, ms: 1_000, what: "work" },
      (signal) => {
        inner = signal;
        return hang();
      },
      outer.signal,
    );
    outer.abort("enough");
    await expect(result).rejects.toBe("enough");
    expect(inner?.reason).toBe("enough");
    expect(clock.sleepers()).toBe(0);
  });

  it("does not begin when aborted before", async () => {
    let begun = false;
    const work = async (): Promise<void> => {
      begun = true;
    };
    const deadline = { clock: new FakeClock(), ms: 1_000, what: "work" };
    await expect(withDeadline(deadline, work, AbortSignal.abort("gone"))).rejects.toBe("gone");
    expect(begun).toBe(false);
  });
});
