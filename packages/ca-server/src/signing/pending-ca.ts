import { CaError, type SigningCa, type SigningCaHealth, type SigningRequest } from "@signet/ca";
import { createSource, firstValue, type Publisher, type Source } from "@signet/runtime";
import type { Certificate, CertificateChain, PublicKeyInfo, TrustBundle } from "@signet/x509";

/** A signing CA that is not there yet: once `settle` was called it is that one, until then it is not ready. */
export interface PendingCa extends SigningCa {
  settle(signingCa: SigningCa): void;
}

const waiting: SigningCaHealth = { state: "failing", reason: "ca-not-read-yet" };

/** Returns a signing CA in whose place another comes, so that a server can answer before it has its key. */
export function createPendingCa(): PendingCa {
  return new Pending();
}

class Pending implements PendingCa {
  readonly trustBundle: Source<TrustBundle>;
  readonly health: Source<SigningCaHealth>;
  readonly revocationLists: Source<string>;
  readonly #settled: Publisher<SigningCa> = createSource<SigningCa>();

  constructor() {
    this.trustBundle = this.#follow(({ trustBundle }) => trustBundle);
    this.revocationLists = this.#follow(({ revocationLists }) => revocationLists);
    const health = this.#follow((signingCa) => signingCa.health);
    this.health = {
      current: () => (this.#ca === undefined ? waiting : health.current()),
      changes: (signal) => health.changes(signal),
    };
  }

  get #ca(): SigningCa | undefined {
    return this.#settled.current();
  }

  get name(): string {
    return this.#ca?.name ?? "pending";
  }

  get keyIsLocal(): boolean {
    return this.#ca?.keyIsLocal ?? false;
  }

  settle(signingCa: SigningCa): void {
    this.#settled.publish(signingCa);
  }

  async sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    signal.throwIfAborted();
    if (this.#ca === undefined) throw new CaError("ca-not-ready", "the CA's key has not been read yet");
    return await this.#ca.sign(request, signal);
  }

  notAfterLimit(): Date | undefined {
    return this.#ca?.notAfterLimit();
  }

  signingKeyInfo(): PublicKeyInfo | undefined {
    return this.#ca?.signingKeyInfo();
  }

  chain(): readonly Certificate[] {
    return this.#ca?.chain() ?? [];
  }

  /** One of the sources of the CA that comes; without a value until then, and for good where that CA has none. */
  #follow<T>(of: (signingCa: SigningCa) => Source<T> | undefined): Source<T> {
    const settled = this.#settled;
    return {
      current() {
        const signingCa = settled.current();
        return signingCa && of(signingCa)?.current();
      },
      async *changes(signal) {
        const signingCa = await firstValue(settled, signal).catch(() => undefined);
        const source = signingCa && of(signingCa);
        // A source that never has a value ends with its signal, as all do.
        yield* (source ?? createSource<T>()).changes(signal);
      },
    };
  }
}
