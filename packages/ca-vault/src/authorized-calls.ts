import { VaultError } from "./errors.ts";
import type { VaultClient, VaultRequest } from "./vault-client.ts";
import type { VaultSession } from "./vault-session.ts";

/** Calls Vault with the token of a session. */
export type AuthorizedCalls = (request: Omit<VaultRequest, "token">, signal: AbortSignal) => Promise<unknown>;

/**
 * Returns calls that carry the session's token; one that Vault refuses with 403 is made once more with a new token.
 *
 * A 403 stands for a token that has expired or been revoked as well as for a policy that does not allow the call, and
 * only a new token tells which.
 */
export function authorizeCalls(client: VaultClient, session: VaultSession): AuthorizedCalls {
  return async (request, signal) => {
    const token = await session.token(signal);
    try {
      const answer = await client.call({ ...request, token }, signal);
      session.accepted();
      return answer;
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "permission-denied") throw error;
      const another = await session.replace(token, signal);
      if (another === undefined) throw error;
      const answer = await client.call({ ...request, token: another }, signal);
      session.accepted();
      return answer;
    }
  };
}
