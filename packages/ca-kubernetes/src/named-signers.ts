import { createAdmission } from "@signet/ca";
import { type Clock, withDeadline } from "@signet/runtime";
import type { SignerCa } from "./signer-ca.ts";

/** The signers that callers name. */
export interface NamedSigners {
  /**
   * The signer of that name, its root known. Rejects with `signal.reason` when aborted.
   * @throws CaError `overloaded` when too many signers are asked for their roots already; what `probe` throws
   */
  of(signerName: string, signal: AbortSignal): Promise<SignerCa>;
}

/** Signers with a root that are remembered; one that is opened anew has to learn again what it had learned. */
const maxKnown = 64;

/** Asking a signer for its root is an object in the cluster and a watch for up to a minute, for a name that anyone can make up. */
const asking = { maxConcurrent: 8, maxQueued: 64 };

/** Returns the signers that `open` opens. Only those whose roots are known are remembered. */
export function createNamedSigners(open: (signerName: string) => SignerCa, clock: Clock): NamedSigners {
  const known = new Map<string, SignerCa>();
  const learning = new Map<string, Promise<SignerCa>>();
  const admission = createAdmission(asking);
  // Whoever gives up does not end what others wait for.
  const never = new AbortController().signal;

  /** A map keeps the order of insertion: the first is the one not asked for the longest. One that has never signed goes first. */
  function leastWorth(): string {
    const [oldest = ""] = known.keys();
    for (const [name, signer] of known) if (signer.signingKeyInfo() === undefined) return name;
    return oldest;
  }

  function remember(name: string, signer: SignerCa): SignerCa {
    known.delete(name);
    if (known.size >= maxKnown) known.delete(leastWorth());
    known.set(name, signer);
    return signer;
  }

  function learn(name: string, signer: SignerCa): Promise<SignerCa> {
    const learned = admission.run(() => signer.probe(never), never).then(() => remember(name, signer));
    const flight = learned.finally(() => learning.delete(name));
    // Whoever still waits sees it; when nobody does, nobody is left to tell.
    flight.catch(() => {});
    learning.set(name, flight);
    return flight;
  }

  return {
    async of(name, signal) {
      signal.throwIfAborted();
      let flight = learning.get(name);
      if (flight === undefined) {
        const signer = known.get(name) ?? open(name);
        if (signer.trustBundle.current() !== undefined) return remember(name, signer);
        flight = learn(name, signer);
      }
      const learned = flight;
      return await withDeadline({ clock, ms: Number.POSITIVE_INFINITY, what: "a probe" }, () => learned, signal);
    },
  };
}
