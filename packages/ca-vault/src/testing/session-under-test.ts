import { FakeClock } from "@signet/runtime/testing";
import type { VaultError } from "../errors.ts";
import type { HealthProblem } from "../health-board.ts";
import type { LoginMethod } from "../login-method.ts";
import type { TokenLease } from "../token-lease.ts";
import type { VaultClient } from "../vault-client.ts";
import { createVaultSession, type VaultSession } from "../vault-session.ts";
import { type RecordedVaultEvents, recordingVaultEvents } from "./recording-vault-events.ts";

/** What logins and renewals answer from now on: a lease in minutes, or an error. */
export type SessionMoods = {
  login: number | VaultError;
  renewal: number | VaultError;
  renewable: boolean;
  /** The token that is given, where it is not made by a login. */
  given: string;
};

/** A session without a Vault. */
export interface SessionUnderTest {
  readonly session: VaultSession;
  readonly clock: FakeClock;
  readonly moods: SessionMoods;
  readonly events: RecordedVaultEvents;
  /** "login" and "renew <token>", as they came. */
  readonly log: readonly string[];
  /** What health was told last. */
  problem(): HealthProblem | undefined;
  /** Runs the task until `stop`. */
  start(): void;
  stop(): Promise<void>;
  /** Moves the clock. */
  minutes(count: number): Promise<void>;
}

const minuteMs = 60_000;

/** Returns a session whose logins and renewals are good for an hour, unless `options` say otherwise. */
export function sessionUnderTest(
  options: Partial<SessionMoods> & { readonly kind?: LoginMethod["kind"] } = {},
): SessionUnderTest {
  const clock = new FakeClock();
  const moods: SessionMoods = { login: 60, renewal: 60, renewable: true, given: "given", ...options };
  const events = recordingVaultEvents();
  const health: (HealthProblem | undefined)[] = [];
  const log: string[] = [];
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();

  function lease(minutes: number | VaultError, token: string): TokenLease {
    if (typeof minutes !== "number") throw minutes;
    const leaseMs = Number.isFinite(minutes) ? minutes * minuteMs : undefined;
    return { token, obtainedAt: clock.now(), leaseMs, renewable: moods.renewable };
  }

  const client: VaultClient = {
    async call({ token = "" }) {
      log.push(`renew ${token}`);
      const { leaseMs, renewable } = lease(moods.renewal, token);
      return { auth: { client_token: token, lease_duration: (leaseMs ?? 0) / 1000, renewable } };
    },
  };
  const session = createVaultSession({
    method: methodOf(options.kind ?? "approle", { moods, log, lease }),
    report: (problem) => void health.push(problem),
    ...{ client, clock, random: () => 0.5, events, lifetime: new AbortController().signal },
  });
  return {
    ...{ session, clock, moods, events, log },
    problem: () => health.at(-1),
    minutes: (count) => clock.advance(count * minuteMs),
    start() {
      running = session.task.run(stopping.signal).catch((error: unknown) => error);
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function methodOf(
  kind: LoginMethod["kind"],
  parts: {
    readonly moods: SessionMoods;
    readonly log: string[];
    readonly lease: (minutes: number | VaultError, token: string) => TokenLease;
  },
): LoginMethod {
  const { moods, log, lease } = parts;
  const makesTokens = kind !== "token" && kind !== "token-file";
  let logins = 0;
  return {
    kind,
    makesTokens,
    given: async () => (makesTokens ? undefined : moods.given),
    async login() {
      log.push("login");
      const next = lease(moods.login, makesTokens ? `token-${logins + 1}` : moods.given);
      logins += 1;
      return next;
    },
  };
}
