import { createVerificationKey } from "@signet/jwt";
import { type FakeJwksSource, fakeJwksSource } from "@signet/jwt/testing";
import { describe, expect, test } from "vitest";
import { authenticateRequestNow } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import { type KeysOf, keysFromSources } from "./rule-keys.ts";
import { clock, fullRequest, keys, rule, ruleOfB, tokenOfA, tokenOfB } from "./test-tokens.ts";

const never = new AbortController().signal;
const remote = [rule({ jwksUri: "https://a/jwks" }), ruleOfB({ jwksUri: "https://b/jwks" })];

function sources(): ReadonlyMap<string, FakeJwksSource> {
  return new Map([
    ["a", fakeJwksSource({ issuer: "a", keys: [createVerificationKey({ key: keys.ec })] })],
    ["b", fakeJwksSource({ issuer: "b", keys: [createVerificationKey({ key: keys.otherEc })] })],
  ]);
}

function decide(keysOf: KeysOf, request: Parameters<typeof fullRequest>[0], signal: AbortSignal = never) {
  return authenticateRequestNow(compileJwtRules(remote), fullRequest(request), { keysOf, clock }, signal);
}

const two = { bearer: tokenOfA(), path: `/?access_token=${tokenOfB()}` };

describe("authenticateRequestNow", () => {
  test("answers without a promise where keys are at hand", () => {
    const known = sources();
    const result = decide(
      keysFromSources(({ issuer }) => known.get(issuer)),
      { bearer: tokenOfA() },
    );
    expect(result).toMatchObject({ kind: "authenticated", principal: "a/alice" });
  });

  test.each([{ bearer: tokenOfA() }, two])("waits for keys that are not, and says the same: %#", async (request) => {
    const known = sources();
    const asked: string[] = [];
    const slow: KeysOf = async (one, header, signal) => {
      asked.push(one.issuer);
      await Promise.resolve();
      return await keysFromSources(({ issuer }) => known.get(issuer))(one, header, signal);
    };
    const result = decide(slow, request);
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toEqual(
      decide(
        keysFromSources(({ issuer }) => known.get(issuer)),
        request,
      ),
    );
    // Each rule is asked once for each token, however often the evaluation begins anew.
    expect(asked.length).toBe(new Set(asked).size);
  });

  test("rejects with the reason of the signal when the wait is given up", async () => {
    const controller = new AbortController();
    const hanging: KeysOf = (_rule, _header, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const result = decide(hanging, { bearer: tokenOfA() }, controller.signal);
    controller.abort(new Error("gone"));
    await expect(result).rejects.toThrow("gone");
  });

  test("keys that cannot be had refuse, whether that is known at once or later", async () => {
    const outcome = { kind: "unavailable", detail: "no" } as const;
    expect(decide(() => outcome, { bearer: tokenOfA() })).toMatchObject({ code: "keys-unavailable" });
    expect(await decide(async () => outcome, { bearer: tokenOfA() })).toMatchObject({ code: "keys-unavailable" });
  });
});
