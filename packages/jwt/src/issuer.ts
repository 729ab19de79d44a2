import type { Task } from "@signet/runtime";
import type { VerificationKey } from "./verification-key.ts";

/** Where the keys of one issuer come from. Nothing is shared between issuers, so a slow one delays no other. */
export interface JwksSource {
  /** The issuer these keys belong to, exactly as in `iss`. */
  readonly issuer: string;
  /**
   * The keys that may have signed a token with this header: those with its `kid`, or all that fit `alg` without one.
   *
   * May fetch, once and never more often than its rate cap allows, when there are no keys or the `kid` is unknown.
   * Rejects only with the reason of `signal`.
   */
  find(header: { readonly kid?: string; readonly alg: string }, signal: AbortSignal): Promise<KeyLookup>;
  /**
   * What `find` would answer at once, without waiting and without causing a fetch; undefined where it would do either.
   * A source that cannot tell may leave it out.
   */
  readonly findNow?: (header: { readonly kid?: string; readonly alg: string }) => KeyLookup | undefined;
  /** Background refresh, well before the keys are too old. Run it for as long as the source is used. */
  readonly task: Task;
  /** For health pages and metrics; costs nothing. */
  status(): JwksStatus;
}

/** What a `JwksSource` found. */
export type KeyLookup =
  | { readonly kind: "found"; readonly keys: readonly VerificationKey[] }
  | { readonly kind: "rejected"; readonly code: "key-not-found" | "key-unsuitable"; readonly detail: string }
  | { readonly kind: "unavailable"; readonly code: "keys-unavailable"; readonly detail: string };

/** The state of a `JwksSource`; `keyCount` is 0 when the last good keys are too old to be used. */
export type JwksStatus = {
  readonly fetchedAt?: Date;
  readonly keyCount: number;
  /** Why the latest fetch failed; absent once one has succeeded again. */
  readonly lastError?: string;
};

/** An issuer whose tokens count, and the audiences of which a token must name at least one. */
export type TrustedIssuer = {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: JwksSource;
};
