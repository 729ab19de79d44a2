import { createPublicKey } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { createJwksSource, type JwksSourceOptions } from "./jwks-source.ts";
import { publicJwk, signJwt } from "./sign-jwt.ts";
import { testSigningKey } from "./testing.ts";
import { createJwtVerifier } from "./verify-jwt.ts";

const minute = 60_000;
const hour = 60 * minute;
const signal = new AbortController().signal;

function jwksWith(...kids: readonly string[]): string {
  const keys = kids.map((kid) => publicJwk(createPublicKey(testSigningKey("ES256", kid)), kid, "ES256"));
  return JSON.stringify({ keys });
}

/** One verifier of three issuers, each with an HTTP side of its own. */
function setUp(options: Partial<JwksSourceOptions> = {}) {
  const clock = new FakeClock();
  const names = ["https://first.example", "https://second.example", "https://third.example"] as const;
  const fakes = names.map((issuer) => {
    const fake = new FakeIssuer(issuer);
    fake.answer = jwksWith("k1");
    return fake;
  });
  const sources = fakes.map(({ issuer, jwksUri, get }) =>
    createJwksSource({ issuer, jwksUri, ...options }, { clock, random: () => 0.5, fetch: get }),
  );
  const issuers = sources.map((keys) => ({ issuer: keys.issuer, audiences: ["istio-ca"], keys }));
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  async function verify(iss: string, kid = "k1"): Promise<string> {
    const exp = clock.now().getTime() / 1000 + 60;
    const claims = { iss, sub: "system:serviceaccount:demo:frontend", aud: "istio-ca", exp };
    const token = signJwt({ claims, key: testSigningKey("ES256", kid), kid, alg: "ES256" });
    const result = await verifier.verify(token, signal);
    return result.kind === "verified" ? "verified" : result.code;
  }
  const [first, second, third] = fakes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three issuers");
  return { clock, verify, sources, first, second, third };
}

describe("an issuer that is slow or broken", () => {
  it("delays and fails the tokens of no other issuer", async () => {
    const { clock, verify, first, second, third } = setUp();
    first.gate = new Promise(() => undefined);
    second.answer = "<html>moved</html>";
    // Many wait for the slow one, by one request; nobody else waits.
    const waiting = Array.from({ length: 100 }, () => verify(first.issuer));
    expect([await verify(third.issuer), await verify(second.issuer), await verify(third.issuer)]).toEqual([
      "verified",
      "keys-unavailable",
      "verified",
    ]);
    expect([first.requests.length, second.requests.length, third.requests.length]).toEqual([1, 1, 1]);
    await clock.untilSleepers(1);
    await clock.advance(5_000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["keys-unavailable"]));
    expect(await verify(third.issuer)).toBe("verified");
  });

  it("keeps its place in the background too: every issuer is refreshed by a task of its own", async () => {
    const { clock, verify, sources, first, third } = setUp();
    first.gate = new Promise(() => undefined);
    const stop = new AbortController();
    const tasks = sources.map(({ task }) => task.run(stop.signal));
    await clock.advance(0);
    third.answer = jwksWith("k2");
    await clock.advance(10 * minute);
    expect([await verify(third.issuer, "k2"), await verify(third.issuer, "k1")]).toEqual(["verified", "key-not-found"]);
    stop.abort();
    await Promise.all(tasks);
  });
});

describe("an outage of an issuer", () => {
  it("of an hour costs no token that its known keys verify, and other key ids are unavailable, not refused", async () => {
    const { clock, verify, sources, first } = setUp();
    const stop = new AbortController();
    const tasks = sources.map(({ task }) => task.run(stop.signal));
    await clock.advance(0);
    first.answer = new Error("connect ECONNREFUSED");
    const before = first.requests.length;
    for (let passed = 0; passed < hour; passed += minute) {
      await clock.advance(minute);
      expect(await verify(first.issuer)).toBe("verified");
      // A token of a key that came during the outage: whoever bears it asks again, and is never told that it is bad.
      expect(await verify(first.issuer, "k2")).toBe("keys-unavailable");
    }
    // At most one request in 30 s for key ids, and one in 30 s to 60 s by the task.
    expect(first.requests.length - before).toBeLessThan(250);
    first.answer = jwksWith("k1", "k2");
    await clock.advance(minute);
    expect([await verify(first.issuer, "k1"), await verify(first.issuer, "k2")]).toEqual(["verified", "verified"]);
    stop.abort();
    await Promise.all(tasks);
  });

  it("of longer than the keys may age refuses nobody for good and accepts nobody", async () => {
    const { clock, verify, first } = setUp({ maxAgeMs: 2 * hour });
    await verify(first.issuer);
    first.answer = 503;
    await clock.advance(2 * hour);
    expect(await verify(first.issuer)).toBe("verified");
    await clock.advance(1);
    expect(await verify(first.issuer)).toBe("keys-unavailable");
    first.answer = jwksWith("k1");
    await clock.advance(1_000);
    expect(await verify(first.issuer)).toBe("verified");
  });

  it("lets strangers cause no more than one request in 30 s, however many key ids they make up", async () => {
    const { clock, verify, first } = setUp();
    await verify(first.issuer);
    for (let turn = 0; turn < 50; turn++) {
      expect(await verify(first.issuer, "k2")).toBe("key-not-found");
      await clock.advance(1_000);
    }
    expect(first.requests.length).toBe(3);
  });
});
