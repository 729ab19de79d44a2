import { parseSpiffeId } from "@signet/spiffe";
import * as vitest from "vitest";
import { describe, expect, it } from "vitest";
import type { AuthenticationResult, Authenticator, PresentedCredentials } from "../authenticator.ts";
import type { Caller } from "../caller.ts";
import { type AuthenticatorFixture, type AuthenticatorSubject, authenticatorSuite } from "./authenticator-suite.ts";
import type { CredentialField } from "./hostile-credentials.ts";

const peer = { peerAddress: "192.0.2.1:40000", transport: "tls" } as const;
const frontend: Caller = { spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"), source: "token" };
const backend: Caller = { spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend"), source: "token" };

const tokens: readonly [PresentedCredentials, PresentedCredentials] = [
  { ...peer, bearerToken: `${"h".repeat(30)}.${"p".repeat(30)}.${"s".repeat(30)}` },
  { ...peer, bearerToken: `${"h".repeat(30)}.${"q".repeat(30)}.${"t".repeat(30)}` },
];
const chains: readonly [PresentedCredentials, PresentedCredentials] = [
  { ...peer, clientCertificateChain: [Uint8Array.from({ length: 400 }, (_, index) => index & 0xff)] },
  { ...peer, clientCertificateChain: [Uint8Array.from({ length: 400 }, (_, index) => (index + 1) & 0xff)] },
];
const headers: readonly [PresentedCredentials, PresentedCredentials] = [
  { ...peer, forwardedClientCert: `URI=${frontend.spiffeId}` },
  { ...peer, forwardedClientCert: `URI=${backend.spiffeId}` },
];

/** Knows callers by comparing with what it was given; a test spoils it by replacing what it says. */
function lookup(
  credential: CredentialField,
  [first, second]: readonly [PresentedCredentials, PresentedCredentials],
): Authenticator {
  return {
    name: "lookup",
    async authenticate(presented, signal): Promise<AuthenticationResult> {
      signal.throwIfAborted();
      const shown = presented[credential];
      if (shown === undefined) return { kind: "not-applicable" };
      await Promise.resolve();
      const key = JSON.stringify(shown);
      if (key === JSON.stringify(first[credential])) return { kind: "authenticated", caller: frontend };
      if (key === JSON.stringify(second[credential])) return { kind: "authenticated", caller: backend };
      return { kind: "rejected", reason: "token-malformed", cause: "credential is not known" };
    },
  };
}

function fixture(
  credential: CredentialField,
  presented: readonly [PresentedCredentials, PresentedCredentials],
): AuthenticatorFixture {
  return {
    authenticator: lookup(credential, presented),
    accepted: [
      { presented: presented[0], caller: frontend },
      { presented: presented[1], caller: backend },
    ],
    refused: [{ name: "unknown", presented: { ...peer, bearerToken: "x.y.z" }, reason: "token-malformed" }],
  };
}

const good: AuthenticatorSubject = {
  name: "token lookup",
  credential: "bearerToken",
  create: async () => fixture("bearerToken", tokens),
  createStalled: async () => ({
    presented: tokens[0],
    authenticator: {
      name: "stalled",
      authenticate: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    },
  }),
  createUnavailable: async () => ({
    presented: tokens[0],
    authenticator: { name: "away", authenticate: async () => ({ kind: "unavailable", reason: "keys-unavailable" }) },
  }),
};

authenticatorSuite(vitest, good);
for (const [credential, presented] of [
  ["clientCertificateChain", chains],
  ["forwardedClientCert", headers],
] as const) {
  const create = async () => ({ ...fixture(credential, presented), refused: [] });
  authenticatorSuite(vitest, { name: `${credential} lookup`, credential, create });
}

/** The names of the tests that fail for `subject`. */
async function failuresOf(subject: AuthenticatorSubject): Promise<readonly string[]> {
  const failed: string[] = [];
  const tests: { readonly name: string; readonly test: () => Promise<void> }[] = [];
  authenticatorSuite(
    { describe: (_, declare) => declare(), it: (name, test) => void tests.push({ name, test }) },
    subject,
  );
  for (const { name, test } of tests) await test().catch(() => failed.push(name));
  return failed;
}

type Spoil = (good: Authenticator["authenticate"]) => Authenticator["authenticate"];

function spoiled(spoil: Spoil): AuthenticatorSubject {
  return {
    ...good,
    async create() {
      const made = await good.create();
      const { authenticator } = made;
      return { ...made, authenticator: { ...authenticator, authenticate: spoil(authenticator.authenticate) } };
    },
  };
}

const rejected = (cause: unknown): AuthenticationResult => ({ kind: "rejected", reason: "token-malformed", cause });

describe("authenticatorSuite finds an authenticator that", () => {
  it.each<{ fault: string; spoil: Spoil; failing: string }>([
    {
      fault: "accepts whoever shows something",
      spoil:
        () =>
        async ({ bearerToken }) =>
          bearerToken === undefined ? { kind: "not-applicable" } : { kind: "authenticated", caller: frontend },
      failing: "refuses what nobody honest shows",
    },
    {
      fault: "does not look at the end of a token",
      spoil: (authenticate) => async (presented, signal) => {
        const { bearerToken = "" } = presented;
        const known = [...tokens].find((each) => each.bearerToken?.slice(0, 70) === bearerToken.slice(0, 70));
        return await authenticate(known ?? presented, signal);
      },
      failing: "refuses good credentials that were tampered with",
    },
    {
      fault: "throws on what it cannot read",
      spoil: (authenticate) => async (presented, signal) => {
        encodeURIComponent(presented.bearerToken ?? "");
        return await authenticate(presented, signal);
      },
      failing: "refuses what nobody honest shows",
    },
    {
      fault: "answers for an absent credential",
      spoil: (authenticate) => async (presented, signal) => {
        const result = await authenticate(presented, signal);
        return result.kind === "not-applicable" ? rejected("no token") : result;
      },
      failing: "does not apply where its credential is absent, whatever else is there",
    },
    {
      fault: "quotes a credential",
      spoil: (authenticate) => async (presented, signal) => {
        const result = await authenticate(presented, signal);
        const [, claims = ""] = (presented.bearerToken ?? "").split(".");
        return result.kind === "rejected" ? rejected(new Error("cannot read", { cause: { claims } })) : result;
      },
      failing: "keeps credentials out of what it answers",
    },
    {
      fault: "does not notice that the client went away",
      spoil: (authenticate) => (presented) => authenticate(presented, new AbortController().signal),
      failing: "rejects with the reason of the signal when aborted before",
    },
    {
      fault: "answers with the caller of another call",
      spoil: (authenticate) => {
        let latest: PresentedCredentials;
        return async (presented, signal) => {
          latest = presented;
          await Promise.resolve();
          return await authenticate(latest, signal);
        };
      },
      failing: "does not mix up callers who ask at once",
    },
    {
      fault: "changes its mind",
      spoil: (authenticate) => {
        let asked = 0;
        return async (presented, signal) => {
          const result = await authenticate(presented, signal);
          return result.kind === "rejected" && asked++ % 2 === 1
            ? { kind: "rejected", reason: "token-expired" }
            : result;
        };
      },
      failing: "says why it refuses, and the same each time",
    },
  ])("$fault", async ({ spoil, failing }) => {
    expect(await failuresOf(spoiled(spoil))).toContain(failing);
  });

  it("waits for an answer when nobody does any more", async () => {
    const createStalled = async () => ({
      presented: tokens[0],
      authenticator: { name: "deaf", authenticate: async () => rejected("gave up") },
    });
    const failing = "rejects with the reason of the signal at once when aborted while it waits";
    expect(await failuresOf({ ...good, createStalled })).toEqual([failing]);
  });

  it("finds nothing wrong with a good one", async () => {
    expect(await failuresOf(good)).toEqual([]);
  });
});
