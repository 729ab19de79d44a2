import { CaError, type CaErrorCode, type SigningCaHealth } from "@signet/ca";
import { createSource, type Publisher, type Source } from "@signet/runtime";

/** How a signer does, judged by its last answers. */
export interface SignerHealth {
  readonly source: Source<SigningCaHealth>;
  /** Whether it has ever signed. */
  proven(): boolean;
  signed(): void;
  /** Counts only what is the signer's or the API server's fault. */
  failed(error: unknown): void;
}

const failuresToFail = 3;

const countedCodes: ReadonlySet<CaErrorCode> = new Set([
  "signer-unavailable",
  "signer-refused",
  "issued-svid-mismatch",
  "ca-not-ready",
]);

/** Returns the health of a signer that has not signed yet; while its root is unknown it serves nobody. */
export function createSignerHealth(options: { readonly servesNobody: boolean }): SignerHealth {
  const state = options.servesNobody ? "failing" : "degraded";
  const unproven: SigningCaHealth = { state, reason: "the signer has not signed yet" };
  const source: Publisher<SigningCaHealth> = createSource(unproven);
  let failures = 0;
  let proven = false;

  function publish(next: SigningCaHealth): void {
    const before = source.current();
    if (before?.state !== next.state || before.reason !== next.reason) source.publish(next);
  }

  return {
    source,
    proven: () => proven,
    signed() {
      failures = 0;
      proven = true;
      publish({ state: "good" });
    },
    failed(error) {
      if (!(error instanceof CaError) || !countedCodes.has(error.code)) return;
      failures += 1;
      if (failures >= failuresToFail) publish({ state: "failing", reason: "the signer does not sign" });
      else publish({ state: "degraded", reason: "the signer did not sign the last time" });
    },
  };
}
