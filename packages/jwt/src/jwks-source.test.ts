import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { FakeIssuer, type FakeIssuerSetup, jwksOf, setUpFakeIssuer } from "./fake-issuer.ts";
import { createJwksSource, type JwksSourceOptions } from "./jwks-source.ts";

const hour = 3_600_000;

function setUp(options: Partial<JwksSourceOptions> = {}): FakeIssuerSetup & { readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, ...setUpFakeIssuer(clock, options) };
}

describe("createJwksSource on demand", () => {
  it("fetches when the first token comes, and not again", async () => {
    const { fake, codeOf, source } = setUp();
    expect(source.status()).toEqual({ keyCount: 0 });
    expect([await codeOf("k1"), await codeOf("k1"), await codeOf()]).toEqual(["found", "found", "found"]);
    expect(fake.requests).toEqual([fake.jwksUri]);
    expect(source.status()).toEqual({ keyCount: 1, fetchedAt: new Date("2026-01-01T00:00:00Z") });
  });

  it("finds the JWKS by discovery", async () => {
    const clock = new FakeClock();
    const fake = new FakeIssuer();
    const { issuer, jwksUri } = fake;
    const source = createJwksSource({ issuer }, { clock, random: Math.random, fetch: fake.get });
    expect((await source.find({ alg: "ES256", kid: "k1" }, new AbortController().signal)).kind).toBe("found");
    expect(fake.requests).toEqual([`${issuer}/.well-known/openid-configuration`, jwksUri]);
  });

  it("shares one fetch among all who wait", async () => {
    const { fake, codeOf } = setUp();
    const gate = Promise.withResolvers<void>();
    fake.gate = gate.promise;
    const codes = Promise.all([codeOf("k1"), codeOf("k1"), codeOf("nobody"), codeOf()]);
    gate.resolve();
    expect(await codes).toEqual(["found", "found", "key-not-found", "found"]);
    expect(fake.requests).toHaveLength(1);
  });

  it("is unavailable while no keys were ever had, and asks at most once a second", async () => {
    const { clock, fake, codeOf, source } = setUp();
    fake.answer = new JwtError("fetch-failed", "connection refused");
    expect([await codeOf("k1"), await codeOf("k1"), await codeOf("k2")]).toEqual(Array(3).fill("keys-unavailable"));
    expect(fake.requests).toHaveLength(1);
    expect(source.status()).toEqual({ keyCount: 0, lastError: "connection refused" });
    await clock.advance(1000);
    fake.answer = jwksOf("k1");
    expect(await codeOf("k1")).toBe("found");
    expect(source.status().lastError).toBeUndefined();
  });

  it("fetches once for an unknown key id, then no more than the cap allows", async () => {
    const { clock, fake, codeOf } = setUp({ unknownKidIntervalMs: 30_000 });
    await codeOf("k1");
    fake.answer = jwksOf("k1", "k2");
    expect(await codeOf("k2")).toBe("found");
    expect(fake.requests).toHaveLength(2);
    fake.answer = jwksOf("k3");
    for (let n = 0; n < 100; n++) expect(await codeOf(`unknown-${n}`)).toBe("key-not-found");
    expect(fake.requests).toHaveLength(2);
    await clock.advance(29_999);
    expect(await codeOf("k3")).toBe("key-not-found");
    await clock.advance(1);
    expect([await codeOf("k3"), await codeOf("k2")]).toEqual(["found", "key-not-found"]);
    expect(fake.requests).toHaveLength(3);
  });

  it("does not fetch twice for the unknown key id of the first token", async () => {
    const { fake, codeOf } = setUp();
    expect(await codeOf("unknown")).toBe("key-not-found");
    expect(fake.requests).toHaveLength(1);
  });

  it("cannot tell about an unknown key id while the keys cannot be refreshed", async () => {
    const { clock, fake, codeOf } = setUp();
    await codeOf("k1");
    await clock.advance(hour);
    fake.answer = 503;
    expect([await codeOf("k2"), await codeOf("k2"), await codeOf("k1")]).toEqual([
      "keys-unavailable",
      "keys-unavailable",
      "found",
    ]);
    expect(fake.requests).toHaveLength(2);
  });

  it("finds a new key seconds after an outage, and asks no more often than that during it", async () => {
    const { clock, fake, codeOf } = setUp({ unknownKidIntervalMs: 30_000 });
    await codeOf("k1");
    fake.answer = 503;
    for (let second = 0; second < 20; second++) {
      for (let n = 0; n < 10; n++) expect(await codeOf("k2")).toBe("keys-unavailable");
      await clock.advance(1_000);
    }
    expect(fake.requests).toHaveLength(1 + 4);
    fake.answer = jwksOf("k1", "k2");
    expect(await codeOf("k2")).toBe("found");
    // And the cap holds again.
    expect([await codeOf("k3"), await codeOf("k3")]).toEqual(["key-not-found", "key-not-found"]);
    expect(fake.requests).toHaveLength(6);
  });

  it("joins a fetch under way for an unknown key id, also when the cap is spent", async () => {
    const { clock, fake, source, codeOf } = setUp();
    await codeOf("k1");
    expect(await codeOf("k2")).toBe("key-not-found");
    const gate = Promise.withResolvers<void>();
    fake.gate = gate.promise;
    fake.answer = jwksOf("k2");
    const stop = new AbortController();
    const task = source.task.run(stop.signal);
    const code = codeOf("k2");
    await clock.untilSleepers(1);
    gate.resolve();
    expect(await code).toBe("found");
    expect(fake.requests).toHaveLength(3);
    stop.abort();
    await task;
  });

  it("does not fetch for a key that is there and does not fit", async () => {
    const { fake, source, codeOf } = setUp();
    await codeOf("k1");
    const lookup = await source.find({ alg: "RS256", kid: "k1" }, new AbortController().signal);
    expect(lookup).toMatchObject({ kind: "rejected", code: "key-unsuitable" });
    expect(fake.requests).toHaveLength(1);
  });

  it("lets a caller leave without taking the fetch along", async () => {
    const { fake, find, codeOf } = setUp();
    const gate = Promise.withResolvers<void>();
    fake.gate = gate.promise;
    const reason = new Error("caller went away");
    const caller = new AbortController();
    const first = find("k1", caller.signal);
    const second = codeOf("k1");
    caller.abort(reason);
    await expect(first).rejects.toBe(reason);
    gate.resolve();
    expect(await second).toBe("found");
    expect(fake.requests).toHaveLength(1);
    await expect(find("k1", AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("gives up on an issuer that stalls after 5 s", async () => {
    const { clock, fake, codeOf, source } = setUp();
    fake.gate = new Promise(() => undefined);
    const code = codeOf("k1");
    await clock.untilSleepers(1);
    await clock.advance(5000);
    expect(await code).toBe("keys-unavailable");
    expect(source.status().lastError).toBe('GET "https://issuer.example/jwks" took longer than 5s');
    expect(clock.sleepers()).toBe(0);
  });

  it.each([
    [200, 200],
    [30_000, 30_000],
    [3_600_000, 60_000],
  ])("gives it %d ms where that is asked for, and never more than a minute: %d", async (timeoutMs, expected) => {
    const { clock, fake, codeOf } = setUp({ timeoutMs });
    fake.gate = new Promise(() => undefined);
    let code: string | undefined;
    const done = codeOf("k1").then((found) => {
      code = found;
    });
    await clock.untilSleepers(1);
    await clock.advance(expected - 1);
    expect(code).toBeUndefined();
    await clock.advance(1);
    await done;
    expect(code).toBe("keys-unavailable");
  });

  it("never waits for another issuer", async () => {
    const slow = setUp();
    slow.fake.gate = new Promise(() => undefined);
    const waiting = slow.codeOf("k1");
    expect(await setUp().codeOf("k1")).toBe("found");
    await slow.clock.untilSleepers(1);
    await slow.clock.advance(5000);
    expect(await waiting).toBe("keys-unavailable");
  });
});

describe("createJwksSource refuses", () => {
  it.each<[JwksSourceOptions, string]>([
    [{ issuer: "" }, "issuer-invalid"],
    [{ issuer: "kubernetes/serviceaccount" }, "url-refused"],
    [{ issuer: "http://issuer.example" }, "url-refused"],
    [{ issuer: "https://169.254.169.254" }, "address-refused"],
    [{ issuer: "anything", jwksUri: "file:///etc/passwd" }, "url-refused"],
    [{ issuer: "anything", jwksUri: "http://10.0.0.1/jwks" }, "url-refused"],
    [{ issuer: "anything", jwksUri: "http://169.254.169.254/jwks", allowHttp: true }, "address-refused"],
  ])("%j with %s", (options, code) => {
    try {
      createJwksSource(options, { clock: new FakeClock(), random: Math.random });
      expect.unreachable();
    } catch (error) {
      expect(error instanceof JwtError ? error.code : error).toBe(code);
    }
  });

  it("nothing that can work", () => {
    const dependencies = { clock: new FakeClock(), random: Math.random };
    for (const options of [
      { issuer: "http://127.0.0.1:1" },
      { issuer: "http://issuer.example", allowHttp: true },
      { issuer: "kubernetes/serviceaccount", jwksUri: "https://10.0.0.1/jwks" },
    ]) {
      expect(createJwksSource(options, dependencies).status()).toEqual({ keyCount: 0 });
    }
  });
});
