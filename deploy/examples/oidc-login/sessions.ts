import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "@signet/runtime";

/** Who has logged in. */
export type Session = { readonly idToken: string; readonly expiresAt: Date };

/** Sessions by what the browser holds. Another store, shared by several gateways, implements the same. */
export interface SessionStore {
  /** Returns the secret for the cookie; always a new one, so that no secret from before the login is worth anything. */
  create(session: Session): string;
  /** The session of a secret; undefined when there is none, or it has expired. */
  find(secret: string): Session | undefined;
  end(secret: string): void;
}

const maxSessions = 100_000;

/**
 * Returns sessions that live in this process.
 *
 * On the server, and not in a sealed cookie: a logout ends them at once wherever the cookie has been copied to, the token never
 * leaves the gateway, and a cookie is 43 characters. The price is memory, and one gateway, or a store that several share. Secrets
 * are kept as hashes: who reads the memory of the store cannot log in with it.
 */
export function createSessions(clock: Pick<Clock, "now">): SessionStore {
  const sessions = new Map<string, Session>();

  function dropExpired(): void {
    const now = clock.now();
    for (const [key, { expiresAt }] of sessions) if (expiresAt <= now) sessions.delete(key);
  }

  return {
    create(session) {
      if (sessions.size >= maxSessions) dropExpired();
      const [oldest] = sessions.keys();
      if (sessions.size >= maxSessions && oldest !== undefined) sessions.delete(oldest);
      const secret = randomBytes(32).toString("base64url");
      sessions.set(keyOf(secret), session);
      return secret;
    },
    find(secret) {
      const session = sessions.get(keyOf(secret));
      if (session === undefined || session.expiresAt > clock.now()) return session;
      sessions.delete(keyOf(secret));
      return undefined;
    },
    end: (secret) => void sessions.delete(keyOf(secret)),
  };
}

function keyOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
