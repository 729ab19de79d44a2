import type { Certificate } from "./certificate.ts";

/** The X.509 authorities of one trust domain. */
export interface TrustBundle {
  readonly authorities: readonly Certificate[];
  /** The text as distributed, verbatim. */
  readonly pem: string;
  /** One sentence for each certificate that was left out because it could not be parsed. */
  readonly skipped: readonly string[];
}
export function parseTrustBundle(pem: string): TrustBundle {
  throw new Error(`not built yet ${pem.length}`);
}
export function trustBundlesEqual(a: TrustBundle, b: TrustBundle): boolean {
  throw new Error(`not built yet ${a.pem.length} ${b.pem.length}`);
}
