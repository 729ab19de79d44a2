import { type Clock, type Random, RuntimeError, withDeadline } from "@signet/runtime";
import type { AuthorizedCalls } from "./authorized-calls.ts";
import { createCallGate } from "./call-gate.ts";
import { type CircuitPermit, type CircuitState, createCircuitBreaker } from "./circuit-breaker.ts";
import { isTransient, VaultError } from "./errors.ts";
import { type HealthReport, reasonOf } from "./health-board.ts";
import type { SignBody } from "./sign-with-vault.ts";

/** Makes the calls that sign: bounded in number and time, and none to a Vault that is down or wants to be left alone. */
export interface SigningCalls {
  /**
   * Returns what `read` made of the answer. Rejects with `signal.reason` when aborted.
   * @throws VaultError
   */
  sign<T>(
    question: { readonly path: string; readonly body: SignBody },
    read: (answer: unknown) => T,
    signal: AbortSignal,
  ): Promise<T>;
}

/** What the calls that sign need. */
export type SigningCallsDependencies = {
  readonly call: AuthorizedCalls;
  /** For a signature as a whole, waiting included, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly lifetime: AbortSignal;
  readonly report: HealthReport;
  readonly onCircuitChange: (state: CircuitState) => void;
};

/** Calls to Vault at a time; one core of Vault's makes 1,000 or so P-256 signatures a second. */
export const maxConcurrentSignatures = 32;
const maxWaiting = 1024;
const failuresToOpen = 5;
/** Short: one probe a second is nothing to Vault, and an SVID may have seconds left to live. */
const probes = { initialMs: 250, maxMs: 1000 };
/** Of one signature, while Vault answers 429 and there is time. */
const maxAttempts = 4;
/** Where Vault sends no Retry-After. */
const unspecifiedPauseMs = 500;

/** Returns calls over a closed circuit. */
export function createSigningCalls(dependencies: SigningCallsDependencies): SigningCalls {
  const { call, clock, random, lifetime, report, timeoutMs } = dependencies;
  const gate = createCallGate({ maxConcurrent: maxConcurrentSignatures, maxWaiting }, { clock, lifetime });
  const breaker = createCircuitBreaker(
    { failuresToOpen, ...probes, onChange: dependencies.onCircuitChange },
    { clock, random },
  );
  let lastFailure: VaultError | undefined;

  function circuitOpen(): VaultError {
    const why = lastFailure === undefined ? "" : `: ${lastFailure.message}`;
    return new VaultError("circuit-open", `Vault is not asked until it is back${why}`, { cause: lastFailure });
  }

  async function once<T>(question: Question<T>, signal: AbortSignal): Promise<T> {
    const permit = breaker.admit();
    if (permit === undefined) throw circuitOpen();
    const startedAt = clock.now().getTime();
    try {
      const { path, body } = question;
      const answer = await call({ kind: "write", path, data: body, operation: "sign" }, signal);
      permit.succeeded();
      report(undefined);
      return question.read(answer);
    } catch (error) {
      // Waiting for its turn is no fault of Vault's.
      const slow = isDeadline(error) && clock.now().getTime() - startedAt >= timeoutMs / 2;
      settle(permit, slow ? new VaultError("deadline-exceeded", error.message) : error);
      throw error;
    }
  }

  function settle(permit: CircuitPermit, error: unknown): void {
    if (!(error instanceof VaultError)) {
      permit.abandoned();
      return;
    }
    if (saysThatVaultIsDown(error)) {
      lastFailure = error;
      permit.failed();
      if (breaker.state() === "open") report({ state: "failing", reason: reasonOf(error) });
      return;
    }
    permit.succeeded();
    if (error.code === "rate-limited") report({ state: "degraded", reason: "rate-limited" });
    // What Vault refuses to one caller it may grant to the next; what a policy does not allow it grants to none.
    if (error.code === "permission-denied") report({ state: "failing", reason: "permission-denied" });
  }

  async function attempts<T>(question: Question<T>, endsAt: number, signal: AbortSignal): Promise<T> {
    for (let left = maxAttempts - 1; ; left -= 1) {
      try {
        return await gate.run(() => once(question, signal), signal);
      } catch (error) {
        if (!(error instanceof VaultError) || error.code !== "rate-limited") throw error;
        gate.pause(error.retryAfterMs ?? unspecifiedPauseMs * (1 + random()));
        // Nobody waits longer than the deadline to be told what is known now.
        if (left === 0 || clock.now().getTime() + gate.pausedMs() >= endsAt) throw error;
      }
    }
  }

  return {
    async sign(question, read, signal) {
      signal.throwIfAborted();
      if (!breaker.admits()) throw circuitOpen();
      const pausedMs = gate.pausedMs();
      if (pausedMs >= timeoutMs) {
        throw new VaultError("rate-limited", "Vault has asked to be left alone", { retryAfterMs: pausedMs });
      }
      const endsAt = clock.now().getTime() + timeoutMs;
      const deadline = { clock, ms: timeoutMs, what: "signing by Vault" };
      try {
        return await withDeadline(deadline, (working) => attempts({ ...question, read }, endsAt, working), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isDeadline(error)) throw new VaultError("deadline-exceeded", error.message, { cause: lastFailure });
        throw error;
      }
    },
  };
}

/**
 * Whether an error is about Vault and not about one request: what a single caller can bring about with its CSR, and an
 * internal error of Vault's may be that, must not keep Vault from the others.
 */
function saysThatVaultIsDown(error: VaultError): boolean {
  return isTransient(error) && error.code !== "rate-limited" && !(error.code === "unavailable" && error.status === 500);
}

type Question<T> = { readonly path: string; readonly body: SignBody; readonly read: (answer: unknown) => T };

function isDeadline(error: unknown): error is RuntimeError {
  return error instanceof RuntimeError && error.code === "deadline-exceeded";
}
