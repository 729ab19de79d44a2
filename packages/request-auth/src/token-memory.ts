import { hash } from "node:crypto";
import type { CompiledJwtRule } from "./compile-jwt-rules.ts";
import type { TokenFacts } from "./parse-token.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** What is remembered of a token with a good signature: not its text. */
export type RememberedToken = {
  readonly facts: TokenFacts;
  /** By the rule one of whose keys had signed it. */
  readonly verifiedBy: Map<CompiledJwtRule, VerifiedToken>;
};

/** Remembers tokens with a good signature by their SHA-256, for the one rule set that has verified them. */
export interface TokenMemory {
  get(digest: string): RememberedToken | undefined;
  add(digest: string, token: RememberedToken): void;
}

/** Longer tokens are verified each time; one with an ML-DSA-87 signature and 1,500 octets of claims is still shorter. */
export const maxRememberedCharacters = 8_192;

/** How many tokens are remembered unless it is said otherwise. */
export const defaultRememberedTokens = 1_024;

/**
 * Returns a memory for at most `maxTokens`, or undefined for none.
 *
 * Two generations, of which the older one is forgotten as a whole: a token that comes again moves to the younger one, so a hit
 * costs one look and nothing is sorted. Only tokens that a rule has verified get in, so nobody else can push them out.
 * Expiry, and whether the key is still the issuer's, is for whoever asks: neither is remembered.
 */
export function createTokenMemory(maxTokens: number): TokenMemory | undefined {
  const perGeneration = Math.floor(maxTokens / 2);
  if (!(perGeneration >= 1)) return undefined;
  let young = new Map<string, RememberedToken>();
  let old = new Map<string, RememberedToken>();
  const add = (digest: string, token: RememberedToken): void => {
    if (young.size >= perGeneration) {
      old = young;
      young = new Map();
    }
    young.set(digest, token);
  };
  return {
    get(digest) {
      const token = young.get(digest);
      if (token !== undefined) return token;
      const older = old.get(digest);
      if (older !== undefined) add(digest, older);
      return older;
    },
    add,
  };
}

/**
 * The SHA-256 of a token, one character per octet; undefined for one that is too long to be remembered.
 *
 * Two texts have one digest only if they are the same octets in UTF-8, and a token that was verified is ASCII, whose octets
 * no other text has.
 */
export function digestOf(token: string): string | undefined {
  return token.length > maxRememberedCharacters ? undefined : hash("sha256", token, "latin1");
}
