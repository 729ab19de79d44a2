import type { ReloadEvents, ReloadingCa } from "@signet/ca";
import type { Clock, Random, Task } from "@signet/runtime";

/** A signing CA whose key is in a Secret. */
export type SecretCa = {
  readonly signingCa: ReloadingCa;
  /** Where it is kept: `<namespace>/<name>`. */
  readonly secret: string;
  /** Follows the Secret; run it for as long as the CA signs. */
  readonly task: Task;
};

/** What opening a CA in a Secret needs. */
export type SecretCaDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  /** Cryptographically strong, as `randomBytes` of node:crypto. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly events: SecretCaEvents;
};

/** What a CA that lives in a Secret reports as it happens; must not throw. `secret` is `<namespace>/<name>`. */
export interface SecretCaEvents extends ReloadEvents {
  /** This process made the CA and saved it. */
  created(event: { readonly secret: string }): void;
  /** The CA could not be had yet; the next attempt comes after `retryMs`. */
  startDelayed(event: { readonly secret: string; readonly error: unknown; readonly retryMs: number }): void;
  /** The Secret is gone; the CA goes on with what it has. */
  secretMissing(event: { readonly secret: string }): void;
  /** The Secret was written back as it had been, by this process. */
  secretRestored(event: { readonly secret: string }): void;
  /** The Secret could not be written back; the next attempt comes after `retryMs`. */
  restoreFailed(event: { readonly secret: string; readonly error: unknown; readonly retryMs: number }): void;
}
