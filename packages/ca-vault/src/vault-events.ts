import type { CircuitState } from "./circuit-breaker.ts";
import type { VaultErrorCode } from "./errors.ts";
import type { VaultOperation } from "./vault-client.ts";
import type { VaultAuth } from "./vault-settings.ts";

/**
 * What happens between us and Vault, as it happens; for log lines and metrics. No event holds a token or a key.
 *
 * `message` is Vault's own first sentence or ours, at most 200 characters and a few.
 */
export interface VaultEvents {
  /** One HTTP call, with its outcome: "ok", "aborted" or a VaultErrorCode. Comes with every certificate: for metrics, not for logs. */
  called(event: { readonly operation: VaultOperation; readonly outcome: string; readonly durationMs: number }): void;
  /** A new token is in use; `leaseMs` is undefined for one without end. */
  loggedIn(event: { readonly method: VaultAuth["kind"]; readonly leaseMs: number | undefined }): void;
  loginFailed(event: {
    readonly method: VaultAuth["kind"];
    readonly code: VaultErrorCode;
    readonly message: string;
  }): void;
  tokenRenewed(event: { readonly leaseMs: number | undefined }): void;
  renewalFailed(event: { readonly code: VaultErrorCode; readonly message: string }): void;
  /** The roots that are trusted have changed, `source` says on whose word. */
  trustBundleChanged(event: { readonly roots: number; readonly source: "mount" | "pinned file" }): void;
  /** Another certificate signs. */
  issuerChanged(event: { readonly serialNumber: string; readonly notAfter: Date }): void;
  /**
   * The issuers or the role could not be read, or cannot be used; what was read before stays in force. Told once for as
   * long as the reason is the same.
   */
  refreshFailed(event: { readonly reason: string; readonly message: string }): void;
  circuitChanged(event: { readonly state: CircuitState }): void;
}
