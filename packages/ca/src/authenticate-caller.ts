import type { AuthenticationResult, Authenticator, PresentedCredentials } from "./authenticator.ts";
import type { Caller } from "./caller.ts";

/** Why no caller was found; for logs, the peer learns only whether to try again. */
export type RefusalReason =
  | "transport-plaintext"
  | "no-authenticators"
  | "credential-missing"
  | "credential-rejected"
  | "authenticator-unavailable";

/** What came of asking the authenticators. `attempts` holds what each of them said, in order, as far as they were asked. */
export type AuthenticationOutcome =
  | {
      readonly kind: "authenticated";
      readonly caller: Caller;
      /** Name of the authenticator that knew the caller. */
      readonly by: string;
    }
  | {
      readonly kind: "refused";
      readonly reason: RefusalReason;
      /** True when an authenticator could not tell: the same credentials may be accepted a moment later. */
      readonly retryable: boolean;
      readonly attempts: readonly AuthenticationAttempt[];
    };

/** What one authenticator said. */
export type AuthenticationAttempt = { readonly authenticator: string; readonly result: AuthenticationResult };

/**
 * Asks each authenticator in order who the peer is; the first that knows wins.
 *
 * A rejection does not end the search, since a peer may show a stale certificate and a good token. Refused when none
 * accepts, when there is none, and on a plaintext transport before any is asked. An authenticator that throws could
 * not tell. Rejects only with `signal.reason`, when aborted.
 * @example
 * ```ts
 * import { authenticateCaller, type Authenticator, type PresentedCredentials } from "@signet/ca";
 * export async function nameOf(authenticators: readonly Authenticator[], presented: PresentedCredentials) {
 *   const outcome = await authenticateCaller(authenticators, presented, AbortSignal.timeout(5000));
 *   return outcome.kind === "authenticated" ? outcome.caller.spiffeId : undefined;
 * }
 * ```
 */
export async function authenticateCaller(
  authenticators: readonly Authenticator[],
  presented: PresentedCredentials,
  signal: AbortSignal,
): Promise<AuthenticationOutcome> {
  signal.throwIfAborted();
  // A bearer token sent in the clear has been shown to the whole network.
  if (presented.transport === "plaintext") return refused("transport-plaintext", []);
  if (authenticators.length === 0) return refused("no-authenticators", []);
  const attempts: AuthenticationAttempt[] = [];
  for (const authenticator of authenticators) {
    const result = await attempt(authenticator, presented, signal);
    if (result.kind === "authenticated") {
      return { kind: "authenticated", caller: result.caller, by: authenticator.name };
    }
    attempts.push({ authenticator: authenticator.name, result });
  }
  return refused(reasonOf(attempts), attempts);
}

async function attempt(
  authenticator: Authenticator,
  presented: PresentedCredentials,
  signal: AbortSignal,
): Promise<AuthenticationResult> {
  let result: AuthenticationResult;
  try {
    result = await authenticator.authenticate(presented, signal);
  } catch (cause) {
    result = { kind: "unavailable", reason: "authenticator-failed", cause };
  }
  signal.throwIfAborted();
  return result;
}

function reasonOf(attempts: readonly AuthenticationAttempt[]): RefusalReason {
  if (attempts.some(({ result }) => result.kind === "unavailable")) return "authenticator-unavailable";
  return attempts.some(({ result }) => result.kind === "rejected") ? "credential-rejected" : "credential-missing";
}

function refused(reason: RefusalReason, attempts: readonly AuthenticationAttempt[]): AuthenticationOutcome {
  return { kind: "refused", reason, retryable: reason === "authenticator-unavailable", attempts };
}
