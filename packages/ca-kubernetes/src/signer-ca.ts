import {
  type Admission,
  buildSvidTemplate,
  CaError,
  type Canary,
  createCanary,
  type SigningCa,
  type SigningCaHealth,
  type SigningRequest,
} from "@signet/ca";
import type { KubernetesApi } from "@signet/kubernetes";
import { type Clock, createBackoff, type Random, type Source, withDeadline } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import type { Certificate, CertificateChain, PublicKeyInfo, TrustBundle } from "@signet/x509";
import type { CsrSigningEvents } from "./csr-events.ts";
import { exchangeRequest } from "./csr-exchange.ts";
import { csrRequestName, decideCsrRequest, minLifetimeMs, signingAllowanceMs } from "./csr-request.ts";
import type { RequestRemoval } from "./request-removal.ts";
import { readSignerAnswer, type SignerAnswer, type SignerChain } from "./signer-answer.ts";
import { signerError } from "./signer-error.ts";
import { createSignerHealth, type SignerHealth } from "./signer-health.ts";
import type { SignerRoots } from "./signer-roots.ts";

/** One signer of Kubernetes. */
export type SignerCaOptions = {
  readonly signerName: string;
  readonly roots: SignerRoots;
  /** Of the probe's SPIFFE ID. */
  readonly trustDomain: TrustDomain;
  /** For one signature as a whole. */
  readonly deadlineMs: number;
};

/** What talking to a signer needs. */
export type SignerCaDependencies = {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly removal: RequestRemoval;
  readonly events: CsrSigningEvents;
  /** Bounds signatures by signers that have never signed, where anyone can make up the name of one; shared by them. */
  readonly firstSignatures?: Admission;
};

/** A signing CA that is a signer of Kubernetes. */
export interface SignerCa extends SigningCa {
  readonly health: Source<SigningCaHealth>;
  /** The shortest lifetime that can be signed for. */
  readonly canaryTtlMs: number;
  /** Resolves when the signer has signed once, so that its root and its chain are known. Many calls share one attempt. */
  probe(signal: AbortSignal): Promise<void>;
  /** Follows the roots, and probes until the signer has signed once and whenever calls have failed several times in a row. */
  run(signal: AbortSignal): Promise<void>;
}

/** Returns the signing CA of one signer; nothing is asked before `sign`, `probe` or `run`. */
export function createSignerCa(options: SignerCaOptions, dependencies: SignerCaDependencies): SignerCa {
  return new KubernetesSigner(options, dependencies);
}

/** For logs and metrics. */
export const signingCaName = "kubernetes-csr";

/** When the last root of a bundle ends; undefined without one. */
export function latestEnd(bundle: TrustBundle | undefined): Date | undefined {
  return bundle && new Date(Math.max(...bundle.authorities.map(({ notAfter }) => notAfter.getTime())));
}

const backdatingMs = 120_000;
/** An issuer with less left than this has been replaced by now, or will be by its next answer. */
const staleLimitMs: number = 2 * minLifetimeMs;
const probeCheckMs = 5_000;

class KubernetesSigner implements SignerCa {
  readonly name: string = signingCaName;
  readonly keyIsLocal = false;
  readonly canaryTtlMs: number = minLifetimeMs;
  readonly notAfterToleranceMs: number = signingAllowanceMs;
  readonly trustBundle: Source<TrustBundle>;
  readonly health: Source<SigningCaHealth>;
  readonly #options: SignerCaOptions;
  readonly #dependencies: SignerCaDependencies;
  readonly #health: SignerHealth;
  #latest: SignerChain | undefined;
  #canary: Promise<Canary> | undefined;
  #probing: Promise<void> | undefined;

  constructor(options: SignerCaOptions, dependencies: SignerCaDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.trustBundle = options.roots.trustBundle;
    this.#health = createSignerHealth({ servesNobody: this.trustBundle.current() === undefined });
    this.health = this.#health.source;
  }

  async sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    signal.throwIfAborted();
    const limit = this.notAfterLimit();
    if (limit !== undefined && !(request.template.notAfter <= limit)) {
      throw new CaError(
        "signing-failed",
        `template outlives the signer's issuer, which ends at ${limit.toISOString()}`,
      );
    }
    const { chain, learned } = await this.#signForCaller(request, signal);
    if (!learned) return chain;
    // Checked under a bundle that did not have this root: the next attempt is under one that does.
    throw new CaError("signer-unavailable", `signer ${this.#options.signerName} has shown a new root`);
  }

  notAfterLimit(): Date | undefined {
    return this.#current()?.notAfterLimit ?? latestEnd(this.trustBundle.current());
  }

  signingKeyInfo(): PublicKeyInfo | undefined {
    return this.#latest?.signingKeyInfo;
  }

  chain(): readonly Certificate[] {
    return this.#latest?.above ?? [];
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // Whoever gives up does not end the probe of the others.
    this.#probing ??= this.#probeOnce(new AbortController().signal).finally(() => {
      this.#probing = undefined;
    });
    const probing = this.#probing;
    const { clock } = this.#dependencies;
    await withDeadline({ clock, ms: Number.POSITIVE_INFINITY, what: "a probe" }, () => probing, signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#options.roots.follow(signal), this.#probeWhenNeeded(signal)]);
  }

  async #probeWhenNeeded(signal: AbortSignal): Promise<void> {
    const { clock, random, events } = this.#dependencies;
    const { signerName } = this.#options;
    const backoff = createBackoff({ initialMs: 1_000, maxMs: 600_000, minMs: 250 }, random);
    while (!signal.aborted) {
      if (!this.#health.inDoubt()) {
        backoff.reset();
        await clock.sleep(probeCheckMs, signal);
        continue;
      }
      try {
        await this.probe(signal);
      } catch (error) {
        signal.throwIfAborted();
        // Without a root nobody can be served; with one, those who ask find out themselves.
        const retryMs = backoff.nextMs(this.trustBundle.current() === undefined ? 60_000 : undefined);
        events.probeFailed({ signerName, error, retryMs });
        await clock.sleep(retryMs, signal);
      }
    }
  }

  /** Of an issuer that is about to end nothing is known of its successor. */
  #current(): SignerChain | undefined {
    const latest = this.#latest;
    if (latest === undefined) return undefined;
    const leftMs = latest.notAfterLimit.getTime() - this.#dependencies.clock.now().getTime();
    return leftMs > staleLimitMs ? latest : undefined;
  }

  async #probeOnce(signal: AbortSignal): Promise<void> {
    const { clock } = this.#dependencies;
    this.#canary ??= createCanary({ trustDomain: this.#options.trustDomain });
    const { csr, spiffeId } = await this.#canary;
    const now = Math.floor(clock.now().getTime() / 1000) * 1000;
    const lifetime = { notBefore: new Date(now - backdatingMs), notAfter: new Date(now + minLifetimeMs) };
    try {
      await this.#exchange({ csr, template: buildSvidTemplate({ csr, spiffeId, lifetime }) }, signal);
      this.#health.signed("probe");
    } catch (error) {
      this.#health.probeFailed(error, { servesNobody: this.trustBundle.current() === undefined });
      throw error;
    }
  }

  async #signForCaller(request: SigningRequest, signal: AbortSignal): Promise<SignerAnswer> {
    const { firstSignatures } = this.#dependencies;
    const exchange = (): Promise<SignerAnswer> => this.#exchange(request, signal);
    try {
      const isUnproven = firstSignatures !== undefined && this.#latest === undefined;
      const answer = await (isUnproven ? firstSignatures.run(exchange, signal) : exchange());
      this.#health.signed("caller");
      return answer;
    } catch (error) {
      if (!signal.aborted) this.#health.callFailed(error);
      throw error;
    }
  }

  async #exchange(request: SigningRequest, signal: AbortSignal): Promise<SignerAnswer> {
    const { signerName, deadlineMs, roots } = this.#options;
    const { clock, randomBytes } = this.#dependencies;
    const name = csrRequestName(randomBytes);
    const object = decideCsrRequest(request, { signerName, name, now: clock.now() });
    const deadline = { clock, ms: deadlineMs, what: `a signature of ${signerName}` };
    try {
      const work = (exchanging: AbortSignal): Promise<string> =>
        exchangeRequest(object, this.#dependencies, exchanging);
      const answer = readSignerAnswer(await withDeadline(deadline, work, signal), request.template, roots);
      this.#latest = answer.signer;
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      throw signerError(error, signerName);
    }
  }
}
