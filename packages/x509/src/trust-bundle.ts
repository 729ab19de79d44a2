import { type Certificate, parseCertificate } from "./certificate.ts";
import { X509Error } from "./errors.ts";
import { splitPem } from "./pem.ts";

/** The X.509 authorities of one trust domain. */
export interface TrustBundle {
  readonly authorities: readonly Certificate[];
  /** The text as distributed, verbatim. */
  readonly pem: string;
  /** One sentence for each block that was left out, because it is no certificate or cannot be parsed. */
  readonly skipped: readonly string[];
}

const maxReasonsQuoted = 3;

/**
 * Returns the trust bundle in a PEM text, which it keeps verbatim.
 *
 * A certificate that cannot be parsed is left out and named in `skipped`, so that one odd root does not take the others
 * down; a text that is not PEM is refused whole.
 * @throws X509Error `trust-bundle-empty` if no certificate is left, `pem-malformed`, `pem-too-large`
 * @example
 * ```ts
 * import { parseTrustBundle } from "@signet/x509";
 * export function rootCount(pem: string): number {
 *   return parseTrustBundle(pem).authorities.length;
 * }
 * ```
 */
export function parseTrustBundle(pem: string): TrustBundle {
  const authorities: Certificate[] = [];
  const skipped: string[] = [];
  for (const [index, { label, der }] of splitPem(pem).entries()) {
    const name = `block ${index + 1}`;
    if (label !== "CERTIFICATE") {
      skipped.push(`${name} is labelled ${JSON.stringify(label)}, not "CERTIFICATE"`);
      continue;
    }
    try {
      authorities.push(parseCertificate(der));
    } catch (error) {
      if (!(error instanceof X509Error)) {
        throw error;
      }
      skipped.push(`${name}: ${error.message}`);
    }
  }
  if (authorities.length === 0) {
    const reasons = skipped.slice(0, maxReasonsQuoted).join("; ");
    throw new X509Error("trust-bundle-empty", `none of ${skipped.length} blocks is a usable certificate: ${reasons}`);
  }
  return { authorities, pem, skipped };
}

/**
 * Whether two trust bundles hold the same certificates, whatever their order, comments and repetitions.
 * @example
 * ```ts
 * import { parseTrustBundle, trustBundlesEqual } from "@signet/x509";
 * export function rootsChanged(before: string, after: string): boolean {
 *   return !trustBundlesEqual(parseTrustBundle(before), parseTrustBundle(after));
 * }
 * ```
 */
export function trustBundlesEqual(a: TrustBundle, b: TrustBundle): boolean {
  const [left, right] = [certificatesOf(a), certificatesOf(b)];
  return left.size === right.size && left.isSubsetOf(right);
}

function certificatesOf(bundle: TrustBundle): Set<string> {
  return new Set(bundle.authorities.map((authority) => authority.der.toHex()));
}
