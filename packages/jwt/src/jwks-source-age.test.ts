import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { type FakeIssuerSetup, jwksOf, setUpFakeIssuer } from "./fake-issuer.ts";
import type { JwksSourceOptions } from "./jwks-source.ts";

const minute = 60_000;
const hour = 60 * minute;

function setUp(options: Partial<JwksSourceOptions> = {}): FakeIssuerSetup & { readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, ...setUpFakeIssuer(clock, options) };
}

describe("last known good keys", () => {
  it.each<[string, string | Buffer | number | Error, string]>([
    ["an HTTP error", 500, "http-status"],
    ["no content", 204, "http-status"],
    ["not found", 404, "http-status"],
    ["a redirect", 302, "redirect-refused"],
    ["a network error", new JwtError("fetch-failed", "connection reset"), "fetch-failed"],
    ["garbage", "<html>login</html>", "jwks-malformed"],
    ["an empty body", "", "jwks-malformed"],
    ["an empty key set", '{"keys":[]}', "jwks-without-usable-keys"],
    [
      "a key set without a usable key",
      '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"k1"}]}',
      "jwks-without-usable-keys",
    ],
    ["broken UTF-8", Buffer.from(`${jwksOf("k2").slice(0, -1)},"x":"\u00e9"}`, "latin1"), "fetch-failed"],
    ["more than 256 KiB", `{"keys":[],"x":"${"a".repeat(262_144)}"}`, "response-too-large"],
  ])("survive %s", async (_, answer, code) => {
    const { clock, fake, codeOf, source, failures } = setUp();
    await codeOf("k1");
    fake.answer = answer;
    await clock.advance(hour);
    await codeOf("unknown");
    expect(fake.requests).toHaveLength(2);
    expect(failures).toEqual([expect.objectContaining({ code })]);
    expect(await codeOf("k1")).toBe("found");
    expect(source.status()).toEqual({
      keyCount: 1,
      fetchedAt: new Date("2026-01-01T00:00:00Z"),
      lastError: expect.any(String),
    });
  });

  it("are used up to their age and no longer, and a later success mends everything", async () => {
    const { clock, fake, codeOf, source } = setUp({ maxAgeMs: 24 * hour });
    await codeOf("k1");
    fake.answer = 503;
    await clock.advance(24 * hour);
    expect(await codeOf("k1")).toBe("found");
    await clock.advance(1);
    expect(await codeOf("k1")).toBe("keys-unavailable");
    expect(source.status().keyCount).toBe(0);
    fake.answer = jwksOf("k1");
    await clock.advance(1000);
    expect(await codeOf("k1")).toBe("found");
  });

  it("are replaced, not extended: a key the issuer took back is gone", async () => {
    const { fake, codeOf } = setUp();
    fake.answer = jwksOf("k1", "k2");
    await codeOf("k1");
    fake.answer = jwksOf("k2");
    await codeOf("unknown");
    expect([await codeOf("k1"), await codeOf("k2")]).toEqual(["key-not-found", "found"]);
  });

  it("are not kept from a refresh by a clock that was set back", async () => {
    const { clock, fake, codeOf } = setUp();
    await codeOf("k1");
    await codeOf("unknown");
    clock.jump(-5 * hour);
    fake.answer = jwksOf("k2");
    expect([await codeOf("k2"), await codeOf("k1")]).toEqual(["found", "key-not-found"]);
  });
});

describe("the background task", () => {
  it("fetches at once, then at 8 to 10 minutes, before any token needs it", async () => {
    const { clock, fake, source, codeOf } = setUp();
    const stop = new AbortController();
    const task = source.task.run(stop.signal);
    await clock.advance(0);
    expect(fake.requests).toHaveLength(1);
    await clock.advance(8 * minute - 1);
    expect(fake.requests).toHaveLength(1);
    await clock.advance(2 * minute + 1);
    expect(fake.requests).toHaveLength(2);
    fake.answer = jwksOf("k2");
    await clock.advance(10 * minute);
    expect([await codeOf("k2"), await codeOf("k1")]).toEqual(["found", "key-not-found"]);
    stop.abort();
    await task;
  });

  it("keeps well clear of a short maximum age", async () => {
    const { clock, fake, source } = setUp({ maxAgeMs: 2 * minute });
    const stop = new AbortController();
    const task = source.task.run(stop.signal);
    await clock.advance(minute);
    expect(fake.requests).toHaveLength(2);
    stop.abort();
    await task;
  });

  it("spares an issuer that is down for an hour, serves known keys meanwhile, and recovers alone", async () => {
    const { clock, fake, source, codeOf } = setUp();
    const stop = new AbortController();
    const task = source.task.run(stop.signal);
    await clock.advance(0);
    fake.answer = 503;
    const before = fake.requests.length;
    for (let passed = 0; passed < 60; passed++) {
      await clock.advance(minute);
      expect(await codeOf("k1")).toBe("found");
    }
    const attempts = fake.requests.length - before;
    expect(attempts).toBeGreaterThan(50);
    expect(attempts).toBeLessThan(200);
    expect(source.status().lastError).toContain("503");
    fake.answer = jwksOf("k2");
    await clock.advance(minute);
    expect(source.status().lastError).toBeUndefined();
    expect(await codeOf("k2")).toBe("found");
    stop.abort();
    await task;
  });

  it("ends at once with a fetch under way, which is no failure of the issuer", async () => {
    const { clock, fake, source, failures } = setUp();
    fake.gate = new Promise(() => undefined);
    const stop = new AbortController();
    const task = source.task.run(stop.signal);
    await clock.untilSleepers(1);
    stop.abort(new Error("shutting down"));
    await task;
    expect(clock.sleepers()).toBe(0);
    expect(failures).toEqual([]);
  });

  it("does nothing when stopped before it starts", async () => {
    const { fake, source } = setUp();
    await source.task.run(AbortSignal.abort());
    expect(fake.requests).toEqual([]);
  });
});
