import type { TrustDomain } from "@signet/spiffe";
import {
  encodePem,
  generateKeyPair,
  type KeyType,
  privateKeyPem,
  randomSerialNumber,
  selfSignRoot,
} from "@signet/x509";
import type { CaState, CaStateStore } from "../ca-state-store.ts";
import type { SigningCa } from "../signing-ca.ts";
import { openCaMaterial } from "./ca-material.ts";
import { createLocalSigningCa, type LocalSigningDependencies } from "./local-signing-ca.ts";

/** Where a self-signed CA is kept, and what it is like when it has to be made. */
export type SelfSignedCaOptions = {
  readonly store: CaStateStore;
  /** Becomes the organization of a new root. */
  readonly trustDomain: TrustDomain;
  /** Of a new root; Istio's is RSA-2048. */
  readonly keyType: KeyType;
  /** Lifetime of a new root; Istio's is 87600 hours. */
  readonly ttlMs: number;
};

/**
 * Returns the CA that `store` holds; where it holds none, makes a root and saves it first.
 *
 * A stored root is used as it is: key type and lifetime asked for count only when a root is made. Its organization may
 * be another trust domain, since a mesh that changes its trust domain keeps its root; what an SVID is called comes
 * from the caller, not from the root's name. A stored root that has expired, does not belong to its key or cannot be
 * parsed is an error and is never replaced: every workload trusts the old one.
 * @throws CaError `ca-material-invalid`; whatever the store throws
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { type CaStateStore, loadSelfSignedCa } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * import { parseTrustDomain } from "@signet/spiffe";
 * export function openCa(store: CaStateStore) {
 *   const trustDomain = parseTrustDomain("cluster.local");
 *   const options = { store, trustDomain, keyType: "P-256", ttlMs: 315_360_000_000 } as const;
 *   return loadSelfSignedCa(options, { clock: systemClock, randomBytes });
 * }
 * ```
 */
export async function loadSelfSignedCa(
  options: SelfSignedCaOptions,
  dependencies: LocalSigningDependencies,
): Promise<SigningCa> {
  const { clock, randomBytes } = dependencies;
  const state = (await options.store.load()) ?? (await createState(options, dependencies));
  const files = {
    certificatePem: state.certificatePem,
    privateKeyPem: state.privateKeyPem,
    chainPem: "",
    rootPem: state.rootCertificatesPem,
  };
  return createLocalSigningCa("self-signed", openCaMaterial(files, clock.now()), randomBytes);
}

async function createState(
  { store, trustDomain, keyType, ttlMs }: SelfSignedCaOptions,
  { clock, randomBytes }: LocalSigningDependencies,
): Promise<CaState> {
  const key = await generateKeyPair(keyType);
  const notBefore = clock.now();
  const root = await selfSignRoot({
    key,
    organization: trustDomain,
    notBefore,
    notAfter: new Date(notBefore.getTime() + ttlMs),
    serialNumber: randomSerialNumber(randomBytes),
  });
  const certificatePem = encodePem("CERTIFICATE", root);
  const state: CaState = {
    certificatePem,
    privateKeyPem: privateKeyPem(key, "traditional"),
    rootCertificatesPem: certificatePem,
  };
  await store.save(state);
  return state;
}
