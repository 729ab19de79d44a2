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
  /** What is remembered of a token. */
  get(token: string): RememberedToken | undefined;
  /**
   * Takes note of a token that was verified; one that has been noted before is remembered, and what is returned is what to
   * note further rules in.
   */
  note(token: string, facts: TokenFacts): RememberedToken | undefined;
}

/** Longer tokens are verified each time; one with an ML-DSA-87 signature and 1,500 octets of claims is still shorter. */
export const maxRememberedCharacters = 8_192;

/** How many tokens are remembered unless it is said otherwise. */
export const defaultRememberedTokens = 1_024;

/**
 * Returns a memory for at most `maxTokens`, or undefined for none.
 *
 * A token is remembered when it comes the second time, so that tokens which come once cost no hash and no memory. Two
 * generations, of which the older one is forgotten as a whole: a token that comes again moves to the younger one, so a hit
 * costs one look and nothing is sorted. Only tokens that a rule has verified get in, so nobody else can push them out.
 * Expiry, and whether the key is still the issuer's, is for whoever asks: neither is remembered.
 */
export function createTokenMemory(maxTokens: number): TokenMemory | undefined {
  const perGeneration = Math.floor(maxTokens / 2);
  if (!(perGeneration >= 1)) return undefined;
  const tokens = new Generations<string, RememberedToken>(perGeneration);
  // Tails of different tokens may be the same number: then a token is hashed, or remembered, one time too early.
  const seen = new Generations<number, true>(perGeneration * seenPerRemembered);
  return {
    get: (token) => (seen.get(tailOf(token)) === true ? tokens.get(digestOf(token)) : undefined),
    note(token, facts) {
      if (token.length > maxRememberedCharacters) return undefined;
      const tail = tailOf(token);
      if (seen.get(tail) !== true) {
        seen.add(tail, true);
        return undefined;
      }
      const remembered = { facts, verifiedBy: new Map<CompiledJwtRule, VerifiedToken>() };
      tokens.add(digestOf(token), remembered);
      return remembered;
    },
  };
}

/** How many tokens may come between two comings of one that is to be remembered, for each that is remembered. */
const seenPerRemembered = 4;

/** At most twice so many entries, of which those not asked for the longest go first, as a whole. */
class Generations<Key, Value> {
  readonly #size: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: Key): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const older = this.#old.get(key);
    if (older !== undefined) this.add(key, older);
    return older;
  }

  add(key: Key, value: Value): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

const tailCharacters = 8;

/** A number made of the end of a token, where its signature is: no part of its text that would keep the token in memory. */
function tailOf(token: string): number {
  let tail = 0;
  for (let at = Math.max(0, token.length - tailCharacters); at < token.length; at++) {
    tail = (Math.imul(tail, 31) + token.charCodeAt(at)) | 0;
  }
  return tail;
}

/**
 * The SHA-256 of a token, one character per octet.
 *
 * Two texts have one digest only if they are the same octets in UTF-8, and a token that was verified is ASCII, whose octets
 * no other text has.
 */
function digestOf(token: string): string {
  return hash("sha256", token, "latin1");
}
