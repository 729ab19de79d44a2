import { bytesEqual } from "./bytes.ts";
import type { Certificate, CertificateChain } from "./certificate.ts";
import {
  type ChainErrorCode,
  certificateProblem,
  issuerProblem,
  nameConstraintProblem,
  type PathProblem,
  type PathRequirements,
  problem,
  signatureProblem,
} from "./path-problems.ts";

/** What `verifyChain` needs: the chain as presented, the roots that are trusted, and the instant that counts. */
export interface VerifyChainOptions extends PathRequirements {
  readonly chain: CertificateChain;
  /** Trust anchors; each is one, self-signed or not. */
  readonly roots: readonly Certificate[];
}

/** `path` runs from the leaf to the root that vouches for it, both included. */
export type ChainResult =
  | { readonly kind: "verified"; readonly path: readonly Certificate[] }
  | { readonly kind: "rejected"; readonly code: ChainErrorCode; readonly detail: string };

/** Most certificates in a chain as presented, and on a path below the root. */
export const maxChainLength = 8;

/** Most signatures verified for one chain; an honest one takes as many as it is long. */
export const maxSignaturesVerified = 64;

/**
 * Finds a path from the leaf to one of `roots` and checks it (RFC 5280 section 6.1).
 *
 * On each certificate: validity at the instant given (the root's too, as in Go), no unknown critical extension, no RSA
 * key below 2048 bits, and the extended key usage if asked for. On each issuer: the CA flag, the path length,
 * keyCertSign, and its name constraints for all below it. On each link: names equal byte by byte, and a signature that
 * is neither SHA-1 nor MD5. Key identifiers only order the candidates. Other paths are tried when one fails; when all do, the rejection is of the one
 * that came nearest to a root. Certificates behind the leaf may come in any order and need not be used; those after the
 * eighth make the chain too long. Policies and revocation are not looked at.
 * @example
 * ```ts
 * import { parseCertificates, type CertificateChain, verifyChain } from "@signet/x509";
 * export function isTrusted(chain: CertificateChain, rootsPem: string, now: Date): boolean {
 *   return verifyChain({ chain, roots: parseCertificates(rootsPem), at: now }).kind === "verified";
 * }
 * ```
 */
export function verifyChain(options: VerifyChainOptions): ChainResult {
  const { chain, roots } = options;
  const [leaf, ...intermediates] = chain;
  if (chain.length > maxChainLength) {
    return rejected({
      code: "chain-too-long",
      detail: `chain of ${chain.length} certificates exceeds ${maxChainLength}`,
    });
  }
  const leafProblem = certificateProblem(leaf, options);
  if (leafProblem !== undefined) {
    return rejected(leafProblem);
  }
  if (roots.some((root) => bytesEqual(root.der, leaf.der))) {
    return { kind: "verified", path: [leaf] };
  }
  const search = new PathSearch(options, intermediates);
  const path = search.extend([leaf]);
  return path === undefined ? rejected(search.problem) : { kind: "verified", path };
}

const tooComplex: PathProblem = {
  code: "chain-too-complex",
  detail: `no path was found with ${maxSignaturesVerified} signatures verified`,
};

/** Walks depth first from the leaf towards the roots. */
class PathSearch {
  readonly #options: VerifyChainOptions;
  readonly #intermediates: readonly Certificate[];
  #signatures = 0;
  #exhausted = false;
  #problem: PathProblem = { code: "chain-untrusted", detail: "no path was found" };
  #problemDepth = 0;

  constructor(options: VerifyChainOptions, intermediates: readonly Certificate[]) {
    this.#options = options;
    this.#intermediates = intermediates;
  }

  /** Why the path that came nearest to a root was not accepted. */
  get problem(): PathProblem {
    return this.#exhausted ? tooComplex : this.#problem;
  }

  /** Returns a whole path that begins with `path`, or undefined. */
  extend(path: readonly [Certificate, ...Certificate[]]): readonly Certificate[] | undefined {
    const candidates = this.#candidates(path);
    if (candidates.length === 0) {
      const last = path.at(-1) ?? path[0];
      this.#note(
        path.length,
        problem("chain-untrusted", last, "was issued by no root and no certificate of the chain"),
      );
    }
    for (const { issuer, isRoot } of candidates) {
      const found = this.#problemOf(issuer, path);
      if (found !== undefined) {
        this.#note(path.length, found);
      } else if (isRoot) {
        return [...path, issuer];
      } else {
        const whole = this.extend([...path, issuer]);
        if (whole !== undefined) {
          return whole;
        }
      }
    }
    return undefined;
  }

  /** Those with the issuer's name, the likeliest first: by key identifier, then roots before intermediates. */
  #candidates(path: readonly Certificate[]): { issuer: Certificate; isRoot: boolean }[] {
    const last = path.at(-1);
    if (last === undefined) {
      return [];
    }
    const roots = this.#options.roots.map((issuer) => ({ issuer, isRoot: true }));
    const intermediates = path.length < maxChainLength ? this.#intermediates : [];
    return [...roots, ...intermediates.map((issuer) => ({ issuer, isRoot: false }))]
      .filter(({ issuer, isRoot }) => bytesEqual(issuer.subject, last.issuer) && !isRepeated(issuer, path, isRoot))
      .sort((a, b) => keyMismatch(last, a.issuer) - keyMismatch(last, b.issuer));
  }

  #problemOf(issuer: Certificate, path: readonly [Certificate, ...Certificate[]]): PathProblem | undefined {
    const found = certificateProblem(issuer, this.#options) ?? issuerProblem(issuer, path);
    if (found !== undefined) {
      return found;
    }
    if (this.#signatures === maxSignaturesVerified) {
      this.#exhausted = true;
      return tooComplex;
    }
    this.#signatures++;
    return signatureProblem(path.at(-1) ?? path[0], issuer) ?? nameConstraintProblem(issuer, path);
  }

  #note(depth: number, found: PathProblem): void {
    if (depth > this.#problemDepth) {
      this.#problem = found;
      this.#problemDepth = depth;
    }
  }
}

/** A root of the leaf's own name and key may vouch for it all the same: a root that was renewed is a new certificate. */
function isRepeated(issuer: Certificate, path: readonly Certificate[], isRoot: boolean): boolean {
  return (path.length > 1 || !isRoot) && path.some((seen) => isSameCa(seen, issuer));
}

/** The same name and key: going through it twice leads nowhere that going through it once does not. */
function isSameCa(a: Certificate, b: Certificate): boolean {
  return bytesEqual(a.subject, b.subject) && bytesEqual(a.spki, b.spki);
}

/** 0 if the key identifiers agree, 1 if one is missing, 2 if they differ. */
function keyMismatch(certificate: Certificate, issuer: Certificate): number {
  const { authorityKeyIdentifier: wanted } = certificate;
  if (wanted === undefined || issuer.subjectKeyIdentifier === undefined) {
    return 1;
  }
  return bytesEqual(wanted, issuer.subjectKeyIdentifier) ? 0 : 2;
}

function rejected({ code, detail }: PathProblem): ChainResult {
  return { kind: "rejected", code, detail };
}
