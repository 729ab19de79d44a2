import { type Clock, createBackoff, type Random, sleepUntil, type Task } from "@signet/runtime";
import { isTransient, VaultError } from "./errors.ts";
import { type HealthProblem, type HealthReport, reasonOf } from "./health-board.ts";
import { type LoginMethod, readLease } from "./login-method.ts";
import { type HeldLease, hasShrunk, holdLease, isHalfOver, isNearEnd, leftMs, type TokenLease } from "./token-lease.ts";
import { untilAborted } from "./until-aborted.ts";
import type { VaultClient } from "./vault-client.ts";
import type { VaultEvents } from "./vault-events.ts";

/** Has a token that is valid, and another before it no longer is. */
export interface VaultSession {
  /** Renews the token at half of its time, and logs in anew where it cannot be renewed. */
  readonly task: Task;
  /**
   * The token, after the login that is under way if there is none. Rejects with `signal.reason` when aborted.
   * @throws VaultError of the last attempt to log in
   */
  token(signal: AbortSignal): Promise<string>;
  /**
   * Another token after Vault has refused `token`; undefined where there is none to be had, or where the last one was
   * asked for just now and was no better. One login serves all who ask at once.
   * @throws VaultError of the attempt to log in
   */
  replace(token: string, signal: AbortSignal): Promise<string | undefined>;
  /** Says that Vault did what it was asked with a token. */
  accepted(): void;
}

/** What a session needs. */
export type VaultSessionDependencies = {
  readonly method: LoginMethod;
  readonly client: VaultClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Pick<VaultEvents, "loggedIn" | "loginFailed" | "tokenRenewed" | "renewalFailed">;
  readonly report: HealthReport;
  /** Ends what no caller waits for. */
  readonly lifetime: AbortSignal;
};

/** Where Vault is away: soon, since an SVID may have seconds left to live when it is back. */
const retryBackoff = { initialMs: 250, maxMs: 2_000, minMs: 100 };
/** Where Vault does not accept our credentials: later and later, since some methods lock out who insists. */
const refusalBackoff = { initialMs: 500, maxMs: 15_000, minMs: 250 };
/** A policy that does not allow something must not make a login of every call. */
const replacementBackoff = { initialMs: 5_000, maxMs: 300_000, minMs: 2_500 };
/** A token file is looked at so often, whoever keeps it fresh. */
const fileLookMs = 30_000;

/** Returns a session that logs in when it is first asked for a token, or when its task runs. */
export function createVaultSession(dependencies: VaultSessionDependencies): VaultSession {
  const { method, client, clock, events, random, lifetime } = dependencies;
  const retries = createBackoff(retryBackoff, random);
  const refusals = createBackoff(refusalBackoff, random);
  const replacements = createBackoff(replacementBackoff, random);
  let held: HeldLease | undefined;
  let flight: Promise<HeldLease> | undefined;
  let failure: { readonly error: VaultError; readonly retryAt: number } | undefined;
  let replaceAt: number | undefined;

  const usable = (): HeldLease | undefined => (held !== undefined && leftMs(held, clock.now()) > 0 ? held : undefined);

  function hold(lease: TokenLease, firstLeaseMs: number | undefined): HeldLease {
    const atMostMs = method.kind === "token-file" ? fileLookMs : Number.POSITIVE_INFINITY;
    held = holdLease(lease, firstLeaseMs, { now: clock.now(), atMostMs, random });
    failure = undefined;
    retries.reset();
    refusals.reset();
    report();
    return held;
  }

  function fail(error: unknown): VaultError {
    if (!(error instanceof VaultError)) throw error;
    const backoff = isTransient(error) ? retries : refusals;
    failure = { error, retryAt: clock.now().getTime() + backoff.nextMs() };
    report();
    return error;
  }

  function report(): void {
    dependencies.report(sessionProblem({ held: usable(), error: failure?.error, method }, clock.now()));
  }

  async function logIn(): Promise<HeldLease> {
    const before = held;
    try {
      const lease = await method.login(lifetime);
      const same = before?.token === lease.token;
      const next = hold(lease, same ? before.firstLeaseMs : lease.leaseMs);
      if (!same) events.loggedIn({ method: method.kind, leaseMs: lease.leaseMs });
      return next;
    } catch (error) {
      const { code, message } = fail(error);
      events.loginFailed({ method: method.kind, code, message });
      throw error;
    }
  }

  /** One at a time, and not ended by a caller who goes away. */
  function login(): Promise<HeldLease> {
    flight ??= logIn().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  async function renew(lease: HeldLease): Promise<void> {
    const obtainedAt = clock.now();
    const request = { kind: "write", path: "auth/token/renew-self", token: lease.token, operation: "renew" } as const;
    try {
      const renewed = readLease(await client.call(request, lifetime), obtainedAt);
      // Another token has taken its place meanwhile.
      if (held !== lease) return;
      hold({ ...renewed, token: lease.token }, lease.firstLeaseMs);
      events.tokenRenewed({ leaseMs: renewed.leaseMs });
    } catch (error) {
      const { code, message } = fail(error);
      events.renewalFailed({ code, message });
      throw error;
    }
  }

  /** Sees to the token when it is time; throws where that has to be tried again. */
  async function refresh(): Promise<void> {
    const lease = usable();
    if (lease === undefined || (await givenAnother(lease))) {
      await login();
    } else if (!isHalfOver(lease, clock.now())) {
      hold(lease, lease.firstLeaseMs);
    } else if (!lease.renewable || (method.makesTokens && hasShrunk(lease))) {
      await login();
    } else {
      await renew(lease).catch(async (error: unknown) => {
        if (!(error instanceof VaultError) || isTransient(error)) throw error;
        await login();
      });
    }
  }

  async function givenAnother(lease: HeldLease): Promise<boolean> {
    if (method.kind !== "token-file") return false;
    try {
      return (await method.given()) !== lease.token;
    } catch (error) {
      throw fail(error);
    }
  }

  function dueAt(): Date {
    if (failure !== undefined) return new Date(failure.retryAt);
    return new Date(Math.min(usable()?.refreshAt ?? 0, maxInstant));
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleepUntil(clock, dueAt, {}, signal);
      try {
        await refresh();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof VaultError)) throw error;
      }
    }
  }

  async function token(signal: AbortSignal): Promise<string> {
    const lease = usable();
    if (lease !== undefined) return lease.token;
    if (flight === undefined && failure !== undefined && clock.now().getTime() < failure.retryAt) throw failure.error;
    return (await untilAborted(login(), signal)).token;
  }

  async function replace(refused: string, signal: AbortSignal): Promise<string | undefined> {
    if (held?.token !== refused) return await token(signal);
    const now = clock.now().getTime();
    if (flight === undefined && replaceAt !== undefined && now < replaceAt) return undefined;
    replaceAt = now + replacements.nextMs();
    try {
      const next = await untilAborted(login(), signal);
      return next.token === refused ? undefined : next.token;
    } catch (error) {
      // Of no use, and with nothing in its place yet: the next who asks waits for the next login.
      if (held?.token === refused && error instanceof VaultError) {
        held = undefined;
        report();
      }
      throw error;
    }
  }

  return {
    task: { name: "vault session", run },
    token,
    replace,
    accepted() {
      if (replaceAt === undefined) return;
      replaceAt = undefined;
      replacements.reset();
    },
  };
}

/** Farther than any clock. */
const maxInstant = 8.64e15;

function sessionProblem(
  state: { readonly held: HeldLease | undefined; readonly error: VaultError | undefined; readonly method: LoginMethod },
  now: Date,
): HealthProblem | undefined {
  const { held, error, method } = state;
  if (held !== undefined) {
    const lasting = method.makesTokens && error === undefined;
    return !lasting && isNearEnd(held, now) ? { state: "degraded", reason: "token-expiring" } : undefined;
  }
  if (error === undefined) return { state: "failing", reason: "starting" };
  // A token that is given to us is all there is: when Vault does not know it, it has expired or been revoked.
  const refused = error.code === "login-refused" && !method.makesTokens;
  return { state: "failing", reason: refused ? "token-expired" : reasonOf(error) };
}
