import { CaError, createAdmission, type SigningCa, type SigningCaHealth } from "@signet/ca";
import type { KubernetesApi } from "@signet/kubernetes";
import { type Clock, constantSource, type Random, type Source, type Task } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import type { CsrSigningEvents } from "./csr-events.ts";
import { minLifetimeMs, signingAllowanceMs } from "./csr-request.ts";
import { createNamedSigners } from "./named-signers.ts";
import { createRequestRemoval } from "./request-removal.ts";
import { createSignerCa, latestEnd, type SignerCa, type SignerCaDependencies, signingCaName } from "./signer-ca.ts";
import { signerNameOf } from "./signer-name.ts";
import { createSignerRoots, type MeshCaCertificate } from "./signer-roots.ts";

/** Which signers of the cluster sign, and what their roots are. */
export type CsrSigningCaOptions = {
  readonly api: KubernetesApi;
  /** Signs for callers that name no signer (`K8S_SIGNER`); without it every caller has to name one. */
  readonly signerName?: string;
  /** Before the slash of the signers that callers name (`CERT_SIGNER_DOMAIN`); without it they may name none. */
  readonly certSignerDomain?: string;
  /** The root file: when given, the chains of every signer have to lead to one of its certificates. */
  readonly rootPem?: string;
  /** Of the mesh config, followed. */
  readonly meshCertificates?: Source<readonly MeshCaCertificate[]>;
  /** Of the certificates that are asked for to learn a signer's root and chain. */
  readonly trustDomain: TrustDomain;
  /** For one signature as a whole, in milliseconds; default and most is 60,000. */
  readonly deadlineMs?: number;
};

/** What signing through the CSR API needs. */
export type CsrSigningCaDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  /** As `randomBytes` of node:crypto; names of requests come from it. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly events: CsrSigningEvents;
};

/** The signers of a cluster as signing CAs; by itself the one that signs for callers that name none. */
export interface CsrSigningCa extends SigningCa {
  readonly health: Source<SigningCaHealth>;
  /** The shortest lifetime that can be signed for. */
  readonly canaryTtlMs: number;
  /** Learns the signer's root and chain and follows the mesh config; on the abort it waits for requests to be deleted. */
  readonly task: Task;
  /**
   * The signer that a caller names with `CertSigner`; "" stands for none. Its root is known when this resolves.
   * @throws CaError `signer-refused` for a name that no signer can have or without a domain; what `sign` throws when its
   *   root had to be learned, and `overloaded` when too many signers are asked for theirs
   */
  signerFor(certSigner: string, signal: AbortSignal): Promise<SigningCa>;
}

const longestDeadlineMs = 60_000;
/** A signer that somebody made up keeps a call for as long as that; half of all calls at most wait for such ones. */
const firstSignatures = { maxConcurrent: 32, maxQueued: 96 };

/**
 * Returns a signing CA that has signers of Kubernetes sign, through CertificateSigningRequests that it approves itself.
 *
 * A signer copies names from the CSR, so a CSR that asks for anything but the template's names is refused; so is a
 * lifetime below the 600 seconds that Kubernetes accepts. A signer may sign for less than it was asked, and, counting from
 * when it signs, up to a minute beyond the template.
 * @throws X509Error for a root file without a usable certificate
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { createCsrSigningCa, type CsrSigningEvents } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * import { systemClock } from "@signet/runtime";
 * import { parseTrustDomain } from "@signet/spiffe";
 * export function openCa(api: KubernetesApi, events: CsrSigningEvents) {
 *   const options = { api, signerName: "example.com/mesh", trustDomain: parseTrustDomain("cluster.local") };
 *   return createCsrSigningCa(options, { clock: systemClock, random: Math.random, randomBytes, events });
 * }
 * ```
 */
export function createCsrSigningCa(options: CsrSigningCaOptions, dependencies: CsrSigningCaDependencies): CsrSigningCa {
  const removal = createRequestRemoval(options.api, dependencies);
  const { signerName, certSignerDomain } = options;
  const shared = { ...dependencies, removal, api: options.api };
  const forNamed = { ...shared, firstSignatures: createAdmission(firstSignatures) };
  const named = createNamedSigners((name) => openSigner(name, options, forNamed), dependencies.clock);
  const unnamed =
    signerName === undefined ? createNobody(options, dependencies) : openSigner(signerName, options, shared);

  async function run(signal: AbortSignal): Promise<void> {
    try {
      await unnamed.run(signal);
    } finally {
      await removal.settle();
    }
  }

  async function signerFor(certSigner: string, signal: AbortSignal): Promise<SigningCa> {
    if (certSigner === "") return unnamed;
    const name = signerNameOf(certSigner, certSignerDomain);
    if (name !== signerName) return await named.of(name, signal);
    if (unnamed.trustBundle.current() === undefined) await unnamed.probe(signal);
    return unnamed;
  }

  return {
    name: unnamed.name,
    keyIsLocal: unnamed.keyIsLocal,
    canaryTtlMs: unnamed.canaryTtlMs,
    notAfterToleranceMs: signingAllowanceMs,
    sign: (request, signal) => unnamed.sign(request, signal),
    notAfterLimit: () => unnamed.notAfterLimit(),
    signingKeyInfo: () => unnamed.signingKeyInfo(),
    chain: () => unnamed.chain(),
    trustBundle: unnamed.trustBundle,
    health: unnamed.health,
    task: { name: "csr signing ca", run },
    signerFor,
  };
}

function openSigner(signerName: string, options: CsrSigningCaOptions, dependencies: SignerCaDependencies): SignerCa {
  const { trustDomain, deadlineMs = longestDeadlineMs } = options;
  const roots = createSignerRoots({ ...options, signerName }, dependencies);
  return createSignerCa(
    { signerName, roots, trustDomain, deadlineMs: Math.min(deadlineMs, longestDeadlineMs) },
    dependencies,
  );
}

/** Stands for the signer of callers that name none where there is no such signer; its roots are those of all others. */
function createNobody(options: CsrSigningCaOptions, dependencies: CsrSigningCaDependencies): SignerCa {
  const domain = `${options.certSignerDomain ?? ""}/`;
  const roots = createSignerRoots(
    { ...options, signerName: `${domain}*`, counts: (signer) => signer.startsWith(domain) },
    dependencies,
  );
  return {
    name: signingCaName,
    keyIsLocal: false,
    canaryTtlMs: minLifetimeMs,
    async sign(_request, signal) {
      signal.throwIfAborted();
      throw new CaError("signer-refused", "caller names no signer, and none signs for such callers");
    },
    notAfterLimit: () => latestEnd(roots.trustBundle.current()),
    signingKeyInfo: () => undefined,
    chain: () => [],
    trustBundle: roots.trustBundle,
    health: constantSource<SigningCaHealth>({ state: "good" }),
    probe: async () => {},
    async run(signal) {
      await Promise.all([roots.follow(signal), dependencies.clock.sleep(Number.POSITIVE_INFINITY, signal)]);
    },
  };
}
