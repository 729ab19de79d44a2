import type { Source } from "@signet/runtime";
import { certificatePem, parseTrustBundle, type TrustBundle } from "@signet/x509";
import { combinedSource } from "./combined-source.ts";

/**
 * A Source of the authorities of two trust bundles as one, the first's before the second's; of the one that is known
 * while the other is not.
 *
 * The text is that of the first, verbatim, and after it every certificate that only the second has.
 */
export function unionTrustBundle(first: Source<TrustBundle>, second: Source<TrustBundle>): Source<TrustBundle> {
  return combinedSource(first, second, (a, b) => (a === undefined || b === undefined ? (a ?? b) : union(a, b)));
}

function union(first: TrustBundle, second: TrustBundle): TrustBundle {
  const known = new Set(first.authorities.map(({ der }) => der.toHex()));
  const added = second.authorities.filter(({ der }) => !known.has(der.toHex()));
  if (added.length === 0) return first;
  const separator = first.pem.endsWith("\n") ? "" : "\n";
  return parseTrustBundle(first.pem + separator + added.map(certificatePem).join(""));
}
