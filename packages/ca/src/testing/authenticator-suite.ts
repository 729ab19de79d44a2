import assert from "node:assert/strict";
import { inspect } from "node:util";
import type {
  AuthenticationReason,
  AuthenticationResult,
  Authenticator,
  PresentedCredentials,
} from "../authenticator.ts";
import type { Caller } from "../caller.ts";
import {
  alteredCredentials,
  type CredentialField,
  foreignCredentials,
  hostileCredentials,
} from "./hostile-credentials.ts";
import type { SuiteTools } from "./signing-ca-suite.ts";

/** Credentials that are good, and who shows them. */
export type AcceptedCredentials = { readonly presented: PresentedCredentials; readonly caller: Caller };

/** An authenticator, and credentials made for it. */
export type AuthenticatorFixture = {
  readonly authenticator: Authenticator;
  /** At least two, of different callers. */
  readonly accepted: readonly [AcceptedCredentials, AcceptedCredentials, ...AcceptedCredentials[]];
  /** Bad ones that only this kind of authenticator knows, each with the reason it gives. */
  readonly refused?: readonly {
    readonly name: string;
    readonly presented: PresentedCredentials;
    readonly reason: AuthenticationReason;
  }[];
};

/** One implementation of `Authenticator` under test. */
export type AuthenticatorSubject = {
  readonly name: string;
  /** Which of the presented credentials it reads. */
  readonly credential: CredentialField;
  /** Called once for each test. */
  create(): Promise<AuthenticatorFixture>;
  /** One whose issuer or API server takes the question and never answers; absent where nobody is asked. */
  createStalled?(): Promise<{ readonly authenticator: Authenticator; readonly presented: PresentedCredentials }>;
  /** One whose issuer or API server, or whatever else it knows callers by, is not there. */
  createUnavailable?(): Promise<{ readonly authenticator: Authenticator; readonly presented: PresentedCredentials }>;
};

const signal = new AbortController().signal;

/**
 * Declares how every authenticator behaves, as tests of one implementation.
 * @example
 * ```ts
 * import { type AuthenticatorFixture, authenticatorSuite, type SuiteTools } from "@signet/ca/testing";
 * export function testMyAuthenticator(tools: SuiteTools, create: () => Promise<AuthenticatorFixture>) {
 *   authenticatorSuite(tools, { name: "my authenticator", credential: "bearerToken", create });
 * }
 * ```
 */
export function authenticatorSuite(tools: SuiteTools, subject: AuthenticatorSubject): void {
  tools.describe(`${subject.name} as an authenticator`, () => {
    acceptanceTests(tools, subject);
    refusalTests(tools, subject);
    secrecyTests(tools, subject);
    abortTests(tools, subject);
    unavailableTests(tools, subject);
  });
}

function acceptanceTests({ it }: SuiteTools, { create }: AuthenticatorSubject): void {
  it("knows each caller by its credentials, and by the same ones again", async () => {
    const { authenticator, accepted } = await create();
    for (const { presented, caller } of [...accepted, ...accepted]) {
      const result = await authenticator.authenticate(presented, signal);
      assert.deepEqual(result, { kind: "authenticated", caller });
    }
  });

  it("does not mix up callers who ask at once", async () => {
    const { authenticator, accepted } = await create();
    const calls = Array.from({ length: 32 }, (_, index) => accepted[index % accepted.length] ?? accepted[0]);
    const results = await Promise.all(
      calls.map(({ presented }) => authenticator.authenticate(presented, new AbortController().signal)),
    );
    assert.deepEqual(
      results,
      calls.map(({ caller }) => ({ kind: "authenticated", caller })),
    );
  });

  it("does not mix up good and bad credentials shown at once, nor lets one caller's abort reach another", async () => {
    const { authenticator, accepted, refused = [] } = await create();
    const [first, second] = accepted;
    const left = new AbortController();
    const reason = new Error("client went away");
    const calls = [
      authenticator.authenticate(first.presented, left.signal).catch((error: unknown) => error),
      authenticator.authenticate(first.presented, signal),
      ...refused.map(({ presented }) => authenticator.authenticate(presented, signal)),
      authenticator.authenticate(second.presented, signal),
    ];
    left.abort(reason);
    const [abandoned, ...results] = await Promise.all(calls);
    if (abandoned !== reason) assert.deepEqual(abandoned, { kind: "authenticated", caller: first.caller });
    assert.deepEqual(results.at(0), { kind: "authenticated", caller: first.caller });
    assert.deepEqual(results.at(-1), { kind: "authenticated", caller: second.caller });
  });

  it("leaves what was presented as it was", async () => {
    const { authenticator, accepted } = await create();
    const [{ presented, caller }] = accepted;
    const before = structuredClone(presented);
    const result = await authenticator.authenticate(Object.freeze({ ...presented }), signal);
    assert.deepEqual(result, { kind: "authenticated", caller });
    assert.deepEqual(presented, before);
  });
}

function refusalTests({ it }: SuiteTools, { create, credential }: AuthenticatorSubject): void {
  it("does not apply where its credential is absent, whatever else is there", async () => {
    const { authenticator, accepted } = await create();
    const [{ presented }] = accepted;
    for (const other of foreignCredentials(presented, credential)) {
      assert.deepEqual(await authenticator.authenticate(other, signal), { kind: "not-applicable" });
    }
  });

  it("refuses what nobody honest shows", async () => {
    const { authenticator, accepted } = await create();
    for (const { name, presented } of hostileCredentials(accepted[0].presented, credential)) {
      await refuses({ authenticator, presented }, name);
    }
  });

  it("refuses good credentials that were tampered with", async () => {
    const { authenticator, accepted } = await create();
    const [first, second] = accepted;
    for (const { name, presented } of alteredCredentials(first.presented, second.presented)) {
      await refuses({ authenticator, presented }, name);
    }
    const result = await authenticator.authenticate(first.presented, signal);
    assert.deepEqual(result, { kind: "authenticated", caller: first.caller });
  });

  it("says why it refuses, and the same each time", async () => {
    const { authenticator, refused = [] } = await create();
    for (const { name, presented, reason } of refused) {
      for (const attempt of ["first", "second"]) {
        const result = await authenticator.authenticate(presented, signal);
        const given = "reason" in result ? result.reason : undefined;
        assert.deepEqual({ kind: result.kind, reason: given }, { kind: "rejected", reason }, `${name}, ${attempt}`);
      }
    }
  });
}

function secrecyTests({ it }: SuiteTools, { create, credential }: AuthenticatorSubject): void {
  it("keeps credentials out of what it answers", async () => {
    const { authenticator, accepted, refused = [] } = await create();
    const [first, second] = accepted;
    const all = [
      ...accepted,
      ...refused,
      ...hostileCredentials(first.presented, credential),
      ...alteredCredentials(first.presented, second.presented),
    ];
    for (const { presented } of all) {
      assertHoldsNone(await authenticator.authenticate(presented, signal), secretsOf(presented));
    }
  });
}

function abortTests({ it }: SuiteTools, { create, createStalled }: AuthenticatorSubject): void {
  it("rejects with the reason of the signal when aborted before", async () => {
    const { authenticator, accepted } = await create();
    const reason = new Error("client went away");
    const asking = authenticator.authenticate(accepted[0].presented, AbortSignal.abort(reason));
    await assert.rejects(asking, (error) => error === reason);
  });

  if (createStalled === undefined) return;
  it("rejects with the reason of the signal at once when aborted while it waits", async () => {
    const { authenticator, presented } = await createStalled();
    const controller = new AbortController();
    const reason = new Error("client went away");
    const asking = authenticator.authenticate(presented, controller.signal);
    setImmediate(() => controller.abort(reason));
    await assert.rejects(asking, (error) => error === reason);
  });
}

function unavailableTests({ it }: SuiteTools, { createUnavailable }: AuthenticatorSubject): void {
  if (createUnavailable === undefined) return;
  it("cannot tell when whoever knows is not there, and keeps credentials out of that answer too", async () => {
    const { authenticator, presented } = await createUnavailable();
    const result = await authenticator.authenticate(presented, signal);
    assert.equal(result.kind, "unavailable");
    assertHoldsNone(result, secretsOf(presented));
  });
}

async function refuses(
  { authenticator, presented }: { authenticator: Authenticator; presented: PresentedCredentials },
  name: string,
): Promise<void> {
  const result = await authenticator.authenticate(presented, signal);
  assert(result.kind === "rejected" || result.kind === "not-applicable", `${name}: ${result.kind}`);
}

/** The least part of a token that would be worth something to a thief, and is not a word of a message by chance. */
const secretCharacters = 24;

/** What of the credentials must be seen nowhere: the token, and every segment of it that is not known to all. */
function secretsOf({ bearerToken = "" }: PresentedCredentials): readonly string[] {
  // The header of a JWT is the same for all tokens of an issuer.
  const [, ...segments] = bearerToken.split(".");
  return [bearerToken, ...segments].filter((part) => part.length >= secretCharacters);
}

function assertHoldsNone(result: AuthenticationResult, secrets: readonly string[]): void {
  const seen = `${inspect(result, { depth: 12, showHidden: true, maxStringLength: null })}\n${asJson(result)}`;
  for (const secret of secrets) {
    assert(!seen.includes(secret), "the answer holds the credential");
    assert(!seen.includes(secret.slice(0, secretCharacters)), "the answer holds the beginning of a credential");
  }
}

/** What a logger that serializes errors with all their properties would write. */
function asJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (!(part instanceof Error)) return typeof part === "bigint" ? String(part) : part;
    return { ...part, message: part.message, stack: part.stack, cause: part.cause };
  });
}
