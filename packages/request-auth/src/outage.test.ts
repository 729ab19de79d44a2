import type { KeyObject } from "node:crypto";
import { createJwksSource, type HttpGet, type JwksSource } from "@signet/jwt";
import { FakeClock } from "@signet/runtime/testing";
import { expect, test } from "vitest";
import { authenticateRequest } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import { keysFromSources } from "./rule-keys.ts";
import { fullRequest, jwkOf, keys, rule, ruleOfB, token } from "./test-tokens.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** A provider in memory: what it answers, and how often it was asked. */
function provider(issuer: string) {
  const answers = { keySet: [] as readonly object[], isDown: false, requests: 0 };
  const fetch: HttpGet = async () => {
    answers.requests++;
    if (answers.isDown) return { status: 503, body: Buffer.alloc(0) };
    return { status: 200, body: Buffer.from(JSON.stringify({ keys: answers.keySet })) };
  };
  return { issuer, answers, fetch };
}

function setUp() {
  const clock = new FakeClock();
  const [a, b] = [provider("a"), provider("b")];
  a.answers.keySet = [jwkOf(keys.ec, { kid: "k1" })];
  b.answers.keySet = [jwkOf(keys.otherEc, { kid: "k1" })];
  const sources = new Map<string, JwksSource>(
    [a, b].map(({ issuer, fetch }) => [
      issuer,
      createJwksSource({ issuer, jwksUri: `https://${issuer}.example/jwks` }, { clock, random: () => 0.5, fetch }),
    ]),
  );
  const rules = compileJwtRules([rule({ jwksUri: "a" }), ruleOfB({ jwksUri: "b" })]);
  const dependencies = { keysOf: keysFromSources(({ issuer }) => sources.get(issuer)), clock };
  const ask = async (
    iss: string,
    kid = "k1",
    key: KeyObject = iss === "a" ? keys.ec : keys.otherEc,
  ): Promise<string> => {
    const exp = Math.floor(clock.now().getTime() / 1000) + 600;
    const request = fullRequest({ bearer: token({ iss, sub: "s", exp }, { key, header: { kid } }) });
    const result = await authenticateRequest(rules, request, dependencies, new AbortController().signal);
    return result.kind === "rejected" ? result.code : result.kind;
  };
  const stop = new AbortController();
  const tasks = [...sources.values()].map(({ task }) => task.run(stop.signal));
  const end = async (): Promise<void> => {
    stop.abort();
    await Promise.all(tasks);
  };
  return { clock, a: a.answers, b: b.answers, ask, end };
}

test("a provider down for an hour: known key ids count, unknown ones do not, the load is bounded, and it mends itself", async () => {
  const { clock, a, b, ask, end } = setUp();
  await clock.advance(0);
  expect([await ask("a"), await ask("b")]).toEqual(["authenticated", "authenticated"]);
  a.isDown = true;
  const before = { a: a.requests, b: b.requests };
  for (let passed = 0; passed < hour; passed += 2 * second) {
    await clock.advance(2 * second);
    // A good token, a new key's, a made-up key id, and a token of somebody else, again and again.
    expect(await ask("a")).toBe("authenticated");
    expect(await ask("a", "k2", keys.otherEc)).toBe("keys-unavailable");
    expect(await ask("a", `made-up-${passed}`)).toBe("keys-unavailable");
    expect(await ask("b")).toBe("authenticated");
  }
  // While they fail at most one request in 5 s, whatever tokens come, and about one a minute by the task.
  expect(a.requests - before.a).toBeLessThanOrEqual(720 + 80);
  expect(a.requests - before.a).toBeGreaterThan(60);
  expect(b.requests - before.b).toBeLessThanOrEqual(8);
  a.isDown = false;
  a.keySet = [jwkOf(keys.otherEc, { kid: "k2" })];
  await clock.advance(minute);
  expect(await ask("a", "k2", keys.otherEc)).toBe("authenticated");
  expect(await ask("a")).toBe("key-not-found");
  await end();
});

test("a provider down for longer than its keys may age: nothing is let through, until it is back", async () => {
  const { clock, a, ask, end } = setUp();
  await clock.advance(0);
  expect(await ask("a")).toBe("authenticated");
  a.isDown = true;
  await clock.advance(24 * hour);
  expect(await ask("a")).toBe("authenticated");
  await clock.advance(1);
  expect(await ask("a")).toBe("keys-unavailable");
  const before = a.requests;
  for (let turn = 0; turn < 60; turn++) {
    expect(await ask("a")).toBe("keys-unavailable");
    await clock.advance(second);
  }
  // At most one a second while there are no keys at all.
  expect(a.requests - before).toBeLessThanOrEqual(61);
  a.isDown = false;
  await clock.advance(minute);
  expect(await ask("a")).toBe("authenticated");
  await end();
});
