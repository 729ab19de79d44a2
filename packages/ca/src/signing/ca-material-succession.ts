import { type Certificate, type TrustBundle, trustBundlesEqual, verifyChain } from "@signet/x509";
import { CaError } from "../errors.ts";
import type { CaMaterial } from "./ca-material.ts";
import { sameRevocation } from "./ca-material-revocation.ts";

/** In what one set of CA files differs from another, judged by certificates and not by bytes. */
export type CaMaterialChange = {
  /** Signing certificate, key, or the certificates that follow every leaf. */
  readonly signingChanged: boolean;
  readonly rootsChanged: boolean;
  readonly revocationListsChanged: boolean;
};

/** Returns in what `next` differs from `current`; the order of roots and of revocation lists means nothing. */
export function compareCaMaterial(current: CaMaterial, next: CaMaterial): CaMaterialChange {
  return {
    signingChanged: !sameCertificates([current.certificate, ...current.chain], [next.certificate, ...next.chain]),
    rootsChanged: !trustBundlesEqual(current.trustBundle, next.trustBundle),
    revocationListsChanged: !sameRevocation(current.revocation, next.revocation),
  };
}

/**
 * Returns why `next` may not follow on `current` at the instant `at`, or undefined.
 *
 * Roots are added or removed, never both at once. While `current` can still sign, peers hold its roots and workloads
 * hold what it signed: so what `next` signs must lead to a present root, and what `current` signed to a root of `next`.
 */
export function successionProblem(current: CaMaterial, next: CaMaterial, at: Date): CaError | undefined {
  const [before, after] = [anchorsOf(current.trustBundle), anchorsOf(next.trustBundle)];
  if (!before.isSubsetOf(after) && !after.isSubsetOf(before)) {
    return replaced("root-cert.pem replaces roots: add the new ones first, remove the old ones later");
  }
  if (at > current.notAfterLimit) return undefined;
  if (!leadsTo(next, current.trustBundle, at)) {
    return replaced("ca-cert.pem leads to no root that peers have by now: add its root first, sign with it later");
  }
  if (!leadsTo(current, next.trustBundle, at)) {
    return replaced("root-cert.pem leaves the certificates signed until now without a root: remove it later");
  }
  return undefined;
}

/** RFC 5280 section 6.1.1 (d): a trust anchor is a name and a key, whatever certificate carries them. */
function anchorsOf({ authorities }: TrustBundle): Set<string> {
  return new Set(authorities.map(({ subject, spki }) => `${subject.toHex()} ${spki.toHex()}`));
}

function leadsTo({ probe, chain }: CaMaterial, { authorities: roots }: TrustBundle, at: Date): boolean {
  return verifyChain({ chain: [probe, ...chain], roots, at }).kind === "verified";
}

function sameCertificates(a: readonly Certificate[], b: readonly Certificate[]): boolean {
  return a.length === b.length && a.every(({ der }, index) => sameBytes(der, b[index]?.der));
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

function replaced(message: string): CaError {
  return new CaError("ca-roots-replaced", message);
}
