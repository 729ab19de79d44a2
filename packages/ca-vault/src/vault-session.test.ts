import { afterEach, describe, expect, it } from "vitest";
import { VaultError } from "./errors.ts";
import { type SessionUnderTest, sessionUnderTest } from "./testing/session-under-test.ts";
import type { VaultSession } from "./vault-session.ts";

const never = new AbortController().signal;
const sealed = new VaultError("sealed", "Vault is sealed");
const refused = new VaultError("login-refused", "invalid secret id");
const denied = new VaultError("permission-denied", "permission denied");
const opened: SessionUnderTest[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop();
});

function open(options: Parameters<typeof sessionUnderTest>[0] = {}): SessionUnderTest {
  const one = sessionUnderTest(options);
  opened.push(one);
  return one;
}

async function codeOf(session: VaultSession): Promise<string> {
  return await session.token(never).catch((error: VaultError) => error.code);
}

describe("a session that logs in", () => {
  it("logs in once for all who ask at once", async () => {
    const { session, log, events } = open();
    const tokens = await Promise.all(Array.from({ length: 5 }, () => session.token(never)));
    expect([new Set(tokens), log]).toEqual([new Set(["token-1"]), ["login"]]);
    expect(events.all).toEqual([{ kind: "loggedIn", method: "approle", leaseMs: 3_600_000 }]);
  });

  it("renews at half of the lease, again and again", async () => {
    const { session, start, minutes, log } = open();
    start();
    await minutes(29);
    expect(log).toEqual(["login"]);
    await minutes(2);
    expect(log).toEqual(["login", "renew token-1"]);
    await minutes(120);
    expect(log.slice(2)).toEqual(Array(4).fill("renew token-1"));
    expect(await session.token(never)).toBe("token-1");
  });

  it("logs in anew when the lease shrinks, which is how the longest life of a token ends", async () => {
    const { session, start, minutes, moods, log } = open();
    start();
    await minutes(1);
    moods.renewal = 20;
    await minutes(30);
    expect(log).toEqual(["login", "renew token-1"]);
    await minutes(10);
    expect(log).toEqual(["login", "renew token-1", "login"]);
    expect(await session.token(never)).toBe("token-2");
  });

  it("logs in anew at half of a lease that cannot be renewed", async () => {
    const { start, minutes, log } = open({ renewable: false });
    start();
    await minutes(31);
    expect(log).toEqual(["login", "login"]);
  });

  it("logs in anew when the renewal is refused", async () => {
    const { session, start, minutes, moods, log, events } = open();
    start();
    moods.renewal = denied;
    await minutes(31);
    expect(log).toEqual(["login", "renew token-1", "login"]);
    expect(await session.token(never)).toBe("token-2");
    expect(events.all.map(({ kind }) => kind)).toEqual(["loggedIn", "renewalFailed", "loggedIn"]);
  });

  it("keeps its token while Vault is away, tries again, and is well when Vault is back", async () => {
    const { session, start, minutes, moods, problem, log } = open();
    start();
    await minutes(1);
    moods.renewal = sealed;
    await minutes(35);
    expect([await session.token(never), problem()]).toEqual(["token-1", undefined]);
    await minutes(14);
    expect(problem()).toEqual({ state: "degraded", reason: "token-expiring" });
    moods.renewal = 60;
    await minutes(1);
    expect([await session.token(never), problem()]).toEqual(["token-1", undefined]);
    // No more often than every few seconds on the way.
    expect(log.length).toBeLessThan(20 * 60);
  });

  it("uses no token beyond its end", async () => {
    const { session, start, minutes, moods, problem } = open();
    start();
    await minutes(1);
    Object.assign(moods, { renewal: sealed, login: sealed });
    await minutes(60);
    expect(await codeOf(session)).toBe("sealed");
    expect(problem()).toEqual({ state: "failing", reason: "vault-sealed" });
    moods.login = 60;
    await minutes(1);
    expect([await session.token(never), problem()]).toEqual(["token-2", undefined]);
  });

  it("fails at once after a failed login, until it is time for the next", async () => {
    const { session, clock, moods, log } = open({ login: refused });
    expect([await codeOf(session), await codeOf(session), await codeOf(session)]).toEqual(
      Array(3).fill("login-refused"),
    );
    expect(log).toEqual(["login"]);
    moods.login = 60;
    await clock.advance(5000);
    expect(await session.token(never)).toBe("token-1");
  });

  it("goes on logging in for the others when one who waits goes away", async () => {
    const { session } = open();
    const leaving = new AbortController();
    const gone = session.token(leaving.signal);
    const other = session.token(never);
    const reason = new Error("went away");
    leaving.abort(reason);
    await expect(gone).rejects.toBe(reason);
    expect(await other).toBe("token-1");
  });
});

describe("a token that Vault has refused", () => {
  it("is replaced by one login for all who ask at once, and for those who come late", async () => {
    const { session, log } = open();
    await session.token(never);
    const replaced = await Promise.all(Array.from({ length: 5 }, () => session.replace("token-1", never)));
    expect([new Set(replaced), log]).toEqual([new Set(["token-2"]), ["login", "login"]]);
    expect(await session.replace("token-1", never)).toBe("token-2");
    expect(log).toHaveLength(2);
  });

  it("is not replaced again and again when no token is any better", async () => {
    const { session, clock, log } = open();
    await session.token(never);
    expect(await session.replace("token-1", never)).toBe("token-2");
    expect(await session.replace("token-2", never)).toBeUndefined();
    expect(log).toHaveLength(2);
    await clock.advance(5000);
    expect(await session.replace("token-2", never)).toBe("token-3");
    await clock.advance(5000);
    // Each time it waits for longer.
    expect(await session.replace("token-3", never)).toBeUndefined();
  });

  it("is replaced at once again after a token was good", async () => {
    const { session } = open();
    await session.token(never);
    await session.replace("token-1", never);
    session.accepted();
    expect(await session.replace("token-2", never)).toBe("token-3");
  });

  it("is not used any more when the login fails too", async () => {
    const { session, moods, problem } = open();
    await session.token(never);
    moods.login = refused;
    await expect(session.replace("token-1", never)).rejects.toBe(refused);
    expect(await codeOf(session)).toBe("login-refused");
    expect(problem()).toEqual({ state: "failing", reason: "login-refused" });
  });
});

describe("a token that is given", () => {
  it("is looked up, renewed, and never replaced", async () => {
    const { session, start, minutes, log } = open({ kind: "token" });
    start();
    await minutes(31);
    expect(log).toEqual(["login", "renew given"]);
    expect(await session.replace("given", never)).toBeUndefined();
  });

  it("has expired when Vault does not know it", async () => {
    const { session, problem } = open({ kind: "token", login: refused });
    expect(await codeOf(session)).toBe("login-refused");
    expect(problem()).toEqual({ state: "failing", reason: "token-expired" });
  });

  it("is about to expire when a quarter of its time is left and it cannot be renewed", async () => {
    const { start, minutes, moods, problem } = open({ kind: "token", renewable: false });
    start();
    await minutes(1);
    // What is left whenever it is looked up, at half of what was left before.
    moods.login = 30;
    await minutes(30);
    moods.login = 15;
    await minutes(15);
    expect(problem()).toBeUndefined();
    moods.login = 7;
    await minutes(8);
    expect(problem()).toEqual({ state: "degraded", reason: "token-expiring" });
  });

  it("lasts for ever when Vault says so", async () => {
    const { start, minutes, log } = open({ kind: "token", login: Number.POSITIVE_INFINITY });
    start();
    await minutes(2000);
    expect(log).toEqual(["login"]);
  });

  it("is taken from its file again within half a minute", async () => {
    const { session, start, clock, moods, log, events } = open({ kind: "token-file" });
    start();
    await clock.advance(45_000);
    expect(log).toEqual(["login"]);
    moods.given = "another";
    await clock.advance(30_000);
    expect(await session.token(never)).toBe("another");
    expect(events.all.filter(({ kind }) => kind === "loggedIn")).toHaveLength(2);
  });

  it("is taken from its file at once when Vault refuses the one before", async () => {
    const { session, moods } = open({ kind: "token-file" });
    await session.token(never);
    moods.given = "another";
    expect(await session.replace("given", never)).toBe("another");
  });
});
