import { parseSpiffeId } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { authenticateCaller, type RefusalReason } from "./authenticate-caller.ts";
import type { AuthenticationResult, PresentedCredentials } from "./authenticator.ts";
import type { Caller } from "./caller.ts";
import { fakeAuthenticator } from "./testing.ts";

const presented: PresentedCredentials = { bearerToken: "t", peerAddress: "192.0.2.1:4711", transport: "tls" };
const caller: Caller = { spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"), source: "token" };
const signal = new AbortController().signal;

const authenticated: AuthenticationResult = { kind: "authenticated", caller };
const absent: AuthenticationResult = { kind: "not-applicable" };
const rejected: AuthenticationResult = { kind: "rejected", reason: "token-expired" };
const unavailable: AuthenticationResult = { kind: "unavailable", reason: "keys-unavailable" };
const broken = new Error("no route to host");

type Answer = AuthenticationResult | Error;

function ask(answers: readonly Answer[], credentials = presented) {
  const authenticators = answers.map((answer, index) => fakeAuthenticator(`a${index}`, answer));
  return { authenticators, outcome: authenticateCaller(authenticators, credentials, signal) };
}

describe("authenticateCaller", () => {
  it.each<{ name: string; answers: readonly Answer[]; by: string }>([
    { name: "the only one", answers: [authenticated], by: "a0" },
    { name: "the first that knows", answers: [authenticated, authenticated], by: "a0" },
    { name: "one after an absent credential", answers: [absent, authenticated], by: "a1" },
    { name: "one after a rejected credential", answers: [rejected, authenticated], by: "a1" },
    { name: "one after another that cannot tell", answers: [unavailable, authenticated], by: "a1" },
    { name: "one after another that throws", answers: [broken, authenticated], by: "a1" },
  ])("takes the caller from $name", async ({ answers, by }) => {
    expect(await ask(answers).outcome).toEqual({ kind: "authenticated", caller, by });
  });

  it.each<{ name: string; answers: readonly Answer[]; reason: RefusalReason; retryable: boolean }>([
    { name: "there is no authenticator", answers: [], reason: "no-authenticators", retryable: false },
    { name: "no credential is shown", answers: [absent, absent], reason: "credential-missing", retryable: false },
    { name: "one rejects", answers: [absent, rejected], reason: "credential-rejected", retryable: false },
    { name: "one cannot tell", answers: [rejected, unavailable], reason: "authenticator-unavailable", retryable: true },
    {
      name: "the first cannot tell",
      answers: [unavailable, rejected],
      reason: "authenticator-unavailable",
      retryable: true,
    },
    { name: "one throws", answers: [broken, absent], reason: "authenticator-unavailable", retryable: true },
  ])("refuses when $name", async ({ answers, reason, retryable }) => {
    const outcome = await ask(answers).outcome;
    expect(outcome).toMatchObject({ kind: "refused", reason, retryable });
  });

  it("keeps what each authenticator said, in order, with the cause of a throw", async () => {
    expect(await ask([rejected, broken, absent]).outcome).toMatchObject({
      attempts: [
        { authenticator: "a0", result: rejected },
        { authenticator: "a1", result: { kind: "unavailable", reason: "authenticator-failed", cause: broken } },
        { authenticator: "a2", result: absent },
      ],
    });
  });

  it("asks none after the one that knew", async () => {
    const { authenticators, outcome } = ask([authenticated, rejected]);
    await outcome;
    expect(authenticators[1]?.asked).toEqual([]);
  });

  it("refuses a plaintext transport without showing the token to anyone", async () => {
    const { authenticators, outcome } = ask([authenticated], { ...presented, transport: "plaintext" });
    expect(await outcome).toMatchObject({ kind: "refused", reason: "transport-plaintext", retryable: false });
    expect(authenticators[0]?.asked).toEqual([]);
  });

  it("rejects with the reason of the signal when aborted before", async () => {
    const reason = new Error("deadline");
    const one = fakeAuthenticator("one", authenticated);
    await expect(authenticateCaller([one], presented, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(one.asked).toEqual([]);
  });

  it("rejects with the reason of the signal when aborted meanwhile, whatever the authenticator says", async () => {
    const reason = new Error("client went away");
    const controller = new AbortController();
    const one = fakeAuthenticator("one", async () => {
      controller.abort(reason);
      return authenticated;
    });
    await expect(authenticateCaller([one], presented, controller.signal)).rejects.toBe(reason);
  });
});
