import { hash } from "node:crypto";
import type { VerificationKey } from "./verification-key.ts";

/** A token whose signature was good, and what its owner wants to know of it when it comes again. */
export type VerifiedToken<About> = {
  /** The key that signed it, as the issuer's source had it. */
  readonly key: VerificationKey;
  readonly about: About;
};

/** Remembers which tokens had a good signature, without the tokens. */
export interface VerifiedTokens<About> {
  /** What is remembered of the token with this digest; it then is the last to be forgotten. */
  get(digest: string): VerifiedToken<About> | undefined;
  add(digest: string, token: VerifiedToken<About>): void;
  forget(digest: string): void;
}

/** Longer tokens are verified each time, so that what is remembered stays small; service account tokens have 1,200. */
export const maxRememberedCharacters = 4_096;

/**
 * Returns a memory for so many tokens, of which the one not asked for the longest is forgotten first.
 *
 * Only tokens of trusted issuers get in, so nobody else can push them out. That a key is still the issuer's, and that a
 * token has not expired, is for whoever asks: neither is remembered here.
 */
export function createVerifiedTokens<About>(maxTokens: number): VerifiedTokens<About> {
  // In the order in which they were asked for, the latest last.
  const tokens = new Map<string, VerifiedToken<About>>();
  return {
    get(digest) {
      const token = tokens.get(digest);
      if (token === undefined) return undefined;
      tokens.delete(digest);
      tokens.set(digest, token);
      return token;
    },
    add(digest, token) {
      tokens.delete(digest);
      tokens.set(digest, token);
      if (tokens.size <= maxTokens) return;
      const [longestUnasked] = tokens.keys();
      if (longestUnasked !== undefined) tokens.delete(longestUnasked);
    },
    forget: (digest) => void tokens.delete(digest),
  };
}

/**
 * The SHA-256 of a token, by which it is remembered; undefined for one that is too long to be.
 *
 * Two texts have one digest only if they are the same octets in UTF-8, and a token that was verified is ASCII, whose octets
 * no other text has.
 */
export function digestOf(token: string): string | undefined {
  return token.length > maxRememberedCharacters ? undefined : hash("sha256", token, "base64");
}
