import type { TrustBundle } from "@signet/x509";

/** Since when each root has been among those that peers are given. */
export class RootAges {
  readonly #since = new Map<string, number>();
  #latest: TrustBundle | undefined;

  /** Roots that are there from the beginning have always been. */
  constructor(initial: TrustBundle | undefined) {
    this.#note(initial, Number.NEGATIVE_INFINITY);
  }

  /** Takes note of the bundle that is distributed at `now`. */
  note(distributed: TrustBundle | undefined, now: Date): void {
    if (distributed !== this.#latest) this.#note(distributed, now.getTime());
  }

  /** How long the newest root of `bundle` has been distributed, in milliseconds; 0 when one of them is not. */
  youngestMs(bundle: TrustBundle, now: Date): number {
    const ages = bundle.authorities.map(({ der }) => now.getTime() - (this.#since.get(der.toHex()) ?? now.getTime()));
    return Math.min(...ages);
  }

  #note(bundle: TrustBundle | undefined, nowMs: number): void {
    this.#latest = bundle;
    const present = new Set(bundle?.authorities.map(({ der }) => der.toHex()));
    for (const root of this.#since.keys()) if (!present.has(root)) this.#since.delete(root);
    for (const root of present) if (!this.#since.has(root)) this.#since.set(root, nowMs);
  }
}
