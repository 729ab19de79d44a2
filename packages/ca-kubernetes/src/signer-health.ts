import { CaError, type CaErrorCode, type SigningCaHealth } from "@signet/ca";
import { KubernetesError } from "@signet/kubernetes";
import { createSource, type Publisher, type Source } from "@signet/runtime";

/** How a signer does, judged by its answers. */
export interface SignerHealth {
  readonly source: Source<SigningCaHealth>;
  /** Whether a certificate for nobody should be asked for, to know. */
  inDoubt(): boolean;
  /** It signed for a caller, or as a probe. */
  signed(as: "caller" | "probe"): void;
  /** Counts only what may be the signer's or the API server's fault. */
  callFailed(error: unknown): void;
  /** Whether `error` says that the signer fails everybody; `servesNobody` while its root is unknown. */
  probeFailed(error: unknown, options: { readonly servesNobody: boolean }): void;
}

/** So many calls in a row that failed raise the question whether others would fail as well. */
const failuresToDoubt = 3;

const countedCodes: ReadonlySet<CaErrorCode> = new Set([
  "signer-unavailable",
  "signer-refused",
  "issued-svid-mismatch",
  "ca-not-ready",
]);

const doubtful: SigningCaHealth = { state: "degraded", reason: "the signer did not sign the last time" };

/**
 * Returns the health of a signer that has not signed yet; while its root is unknown it serves nobody.
 *
 * What callers meet never makes it "failing" by itself, for one caller may be all that a signer refuses: only a probe
 * that fails does.
 */
export function createSignerHealth(options: { readonly servesNobody: boolean }): SignerHealth {
  const unproven: SigningCaHealth = {
    state: options.servesNobody ? "failing" : "degraded",
    reason: "the signer has not signed yet",
  };
  const source: Publisher<SigningCaHealth> = createSource(unproven);
  let failures = 0;
  let isProven = false;
  let takesProbes = false;

  function publish(next: SigningCaHealth): void {
    const before = source.current();
    if (before?.state !== next.state || before.reason !== next.reason) source.publish(next);
  }

  return {
    source,
    inDoubt: () => !isProven || failures >= failuresToDoubt || source.current()?.state === "failing",
    signed(as) {
      failures = 0;
      isProven = true;
      takesProbes ||= as === "probe";
      publish({ state: "good" });
    },
    callFailed(error) {
      if (!(error instanceof CaError) || !countedCodes.has(error.code)) return;
      failures += 1;
      if (source.current()?.state === "failing") return;
      publish(doubtful);
    },
    probeFailed(error, { servesNobody }) {
      // A signer may have rules that a probe does not meet; that it then refuses one says that it is there, and no more.
      const saysNothing = isVerdict(error) && !takesProbes && !servesNobody;
      if (!saysNothing) publish({ state: "failing", reason: "the signer does not sign" });
      else publish(isProven ? doubtful : { ...unproven, state: "degraded" });
    },
  };
}

/** Whether the signer, or whoever decides for it, has looked at the request and refused it. */
function isVerdict(error: unknown): boolean {
  return error instanceof CaError && error.code === "signer-refused" && !(error.cause instanceof KubernetesError);
}
