import type { VaultEvents } from "../vault-events.ts";

type Recorded = {
  readonly [Name in keyof VaultEvents]: { readonly kind: Name } & Parameters<VaultEvents[Name]>[0];
}[keyof VaultEvents];

/** Events as they came. */
export interface RecordedVaultEvents extends VaultEvents {
  readonly all: readonly Recorded[];
}

/**
 * Returns events that are kept in `all`.
 * @example
 * ```ts
 * import { recordingVaultEvents } from "@signet/ca-vault/testing";
 * recordingVaultEvents().all.length; // 0
 * ```
 */
export function recordingVaultEvents(): RecordedVaultEvents {
  const all: Recorded[] = [];
  return {
    all,
    called: (event) => void all.push({ kind: "called", ...event }),
    loggedIn: (event) => void all.push({ kind: "loggedIn", ...event }),
    loginFailed: (event) => void all.push({ kind: "loginFailed", ...event }),
    tokenRenewed: (event) => void all.push({ kind: "tokenRenewed", ...event }),
    renewalFailed: (event) => void all.push({ kind: "renewalFailed", ...event }),
    trustBundleChanged: (event) => void all.push({ kind: "trustBundleChanged", ...event }),
    issuerChanged: (event) => void all.push({ kind: "issuerChanged", ...event }),
    refreshFailed: (event) => void all.push({ kind: "refreshFailed", ...event }),
    circuitChanged: (event) => void all.push({ kind: "circuitChanged", ...event }),
  };
}
