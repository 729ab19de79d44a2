import { CaError } from "@signet/ca";
import { type Clock, createSource, mapSource, type Publisher, type Source } from "@signet/runtime";
import {
  type Certificate,
  type CertificateChain,
  certificatePem,
  describeName,
  parseTrustBundle,
  type TrustBundle,
  trustBundlesEqual,
  verifyChain,
  X509Error,
} from "@signet/x509";
import type { CsrSigningEvents } from "./csr-events.ts";

/** A CA certificate of the mesh config (`caCertificates`), and the signers that it belongs to. */
export type MeshCaCertificate = { readonly pem: string; readonly certSigners: readonly string[] };

/** What is known beforehand of a signer's root. */
export type SignerRootsOptions = {
  /** For messages and events. */
  readonly signerName: string;
  /** Whether a certificate of the mesh config that belongs to `signer` counts; by default when it is `signerName`. */
  readonly counts?: (signer: string) => boolean;
  /** The root file: when given, nothing else counts. */
  readonly rootPem?: string;
  /** Followed; those that name the signer count when there is no root file. */
  readonly meshCertificates?: Source<readonly MeshCaCertificate[]>;
};

/** The roots that the certificates of one signer lead to. */
export interface SignerRoots {
  /** Publishes what the mesh config says only while `follow` runs. */
  readonly trustBundle: Source<TrustBundle>;
  /** Runs until the abort; returns at once where there is no mesh config. */
  follow(signal: AbortSignal): Promise<void>;
  /** True while neither a root file nor the mesh config says what the roots are. */
  learns(): boolean;
  /**
   * Verifies a chain, and returns the certificates of the path from the leaf to the root that vouches for it.
   *
   * Where roots are learned and the chain ends in a CA that is not among them and that vouches for it, that one is added.
   * @throws CaError `issued-svid-mismatch`
   */
  verify(chain: CertificateChain): { readonly path: readonly Certificate[]; readonly learned: boolean };
}

/** A signer that shows a new root each time must not make bundles grow for ever. */
const maxLearnedRoots = 8;

/**
 * Returns the roots of a signer: those of the root file, else of the mesh config, else those that the signer shows at the
 * end of its chains.
 * @throws X509Error for a root file without a usable certificate
 */
export function createSignerRoots(
  options: SignerRootsOptions,
  dependencies: { readonly clock: Clock; readonly events: CsrSigningEvents },
): SignerRoots {
  return new KnownRoots(options, dependencies);
}

class KnownRoots implements SignerRoots {
  readonly trustBundle: Source<TrustBundle>;
  readonly #signerName: string;
  readonly #clock: Clock;
  readonly #events: CsrSigningEvents;
  readonly #pinned: TrustBundle | undefined;
  readonly #mesh: Source<TrustBundle | undefined> | undefined;
  readonly #published: Publisher<TrustBundle> = createSource<TrustBundle>();
  readonly #learned: Publisher<TrustBundle> = createSource<TrustBundle>();

  constructor(
    { signerName, rootPem, meshCertificates, counts = (signer) => signer === signerName }: SignerRootsOptions,
    { clock, events }: { readonly clock: Clock; readonly events: CsrSigningEvents },
  ) {
    this.#signerName = signerName;
    this.#clock = clock;
    this.#events = events;
    this.#pinned = rootPem === undefined ? undefined : parseTrustBundle(rootPem);
    let latest: TrustBundle | undefined;
    this.#mesh =
      meshCertificates &&
      mapSource(meshCertificates, (all) => {
        const next = bundleOf(all.filter(({ certSigners }) => certSigners.some(counts)));
        // Readers compare with ===, and most changes of a mesh config are about something else.
        if (next === undefined || latest === undefined || !trustBundlesEqual(next, latest)) latest = next;
        return latest;
      });
    this.trustBundle = {
      current: () => this.#current(),
      changes: (signal) => this.#published.changes(signal),
    };
    this.#publish();
  }

  async follow(signal: AbortSignal): Promise<void> {
    if (this.#mesh === undefined) return;
    for await (const _ of this.#mesh.changes(signal)) this.#publish();
  }

  learns(): boolean {
    return this.#pinned === undefined && this.#mesh?.current() === undefined;
  }

  verify(chain: CertificateChain): { readonly path: readonly Certificate[]; readonly learned: boolean } {
    const known = this.#current();
    const path = known && this.#pathTo(known.authorities, chain);
    if (path !== undefined) return { path, learned: false };
    const last = chain.at(-1);
    if (this.learns() && last !== undefined && chain.length > 1 && last.isCa) {
      const learnedPath = this.#pathTo([last], chain);
      if (learnedPath !== undefined) {
        this.#learn(last);
        return { path: learnedPath, learned: true };
      }
    }
    throw new CaError("issued-svid-mismatch", `chain of signer ${this.#signerName} does not lead to its root`);
  }

  #current(): TrustBundle | undefined {
    return this.#pinned ?? this.#mesh?.current() ?? this.#learned.current();
  }

  #pathTo(roots: readonly Certificate[], chain: CertificateChain): readonly Certificate[] | undefined {
    const at = this.#clock.now();
    const [leaf] = chain;
    // A signer's clock may be a little ahead: then the first instant of the leaf counts.
    const result = verifyChain({ chain, roots, at: leaf.notBefore > at ? leaf.notBefore : at });
    return result.kind === "verified" ? result.path : undefined;
  }

  /** New roots come first, and those that have expired go. */
  #learn(root: Certificate): void {
    const now = this.#clock.now();
    const before = this.#learned.current()?.authorities ?? [];
    const roots = [root, ...before.filter(({ notAfter }) => notAfter > now)].slice(0, maxLearnedRoots);
    this.#learned.publish(parseTrustBundle(roots.map(certificatePem).join("")));
    this.#publish();
    this.#events.rootLearned({
      signerName: this.#signerName,
      subject: describeName(root.subject),
      notAfter: root.notAfter,
    });
  }

  #publish(): void {
    const bundle = this.#current();
    if (bundle !== undefined && bundle !== this.#published.current()) this.#published.publish(bundle);
  }
}

/** An entry that cannot be read is left out. */
function bundleOf(certificates: readonly MeshCaCertificate[]): TrustBundle | undefined {
  const entries = certificates.flatMap(({ pem }) => readPem(pem));
  return entries.length === 0 ? undefined : parseTrustBundle(entries.join(""));
}

function readPem(pem: string): readonly string[] {
  try {
    return parseTrustBundle(pem).authorities.map(certificatePem);
  } catch (error) {
    if (error instanceof X509Error) return [];
    throw error;
  }
}
