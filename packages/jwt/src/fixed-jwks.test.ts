import { FakeClock } from "@signet/runtime/testing";
import { expect, it } from "vitest";
import { createFixedJwks } from "./fixed-jwks.ts";
import { testIssuer } from "./testing.ts";
import { createJwtVerifier } from "./verify-jwt.ts";

const clock = new FakeClock();
const { issuer, jwks, sign } = testIssuer({ issuer: "https://issuer.example", clock });
const signal = new AbortController().signal;

it("verifies tokens by the keys of the document, and by no others", async () => {
  const keys = createFixedJwks({ issuer, jwks });
  const verifier = createJwtVerifier(
    { issuers: [{ issuer, audiences: ["istio-ca"], keys }], clockSkewSeconds: 0 },
    clock,
  );
  expect((await verifier.verify(sign(), signal)).kind).toBe("verified");
  const stranger = testIssuer({ issuer, kid: "other", clock });
  expect(await verifier.verify(stranger.sign(), signal)).toMatchObject({ code: "key-not-found" });
  expect(keys.status()).toEqual({ keyCount: 1 });
});

it("rejects with the reason of its signal, and its task ends with its signal", async () => {
  const keys = createFixedJwks({ issuer, jwks });
  const reason = new Error("shutting down");
  await expect(keys.find({ alg: "ES256" }, AbortSignal.abort(reason))).rejects.toBe(reason);
  await keys.task.run(AbortSignal.abort());
  const stop = new AbortController();
  const ended = keys.task.run(stop.signal);
  stop.abort();
  await ended;
});

it.each([
  ["garbage", "jwks-malformed"],
  ['{"keys":[]}', "jwks-without-usable-keys"],
])("refuses %s", (text, code) => {
  expect(() => createFixedJwks({ issuer, jwks: text })).toThrow(expect.objectContaining({ code }));
});
