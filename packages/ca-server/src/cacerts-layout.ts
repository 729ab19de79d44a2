/** Which file of a plugged-in CA's directory is what. */
export type CacertsLayout = {
  readonly certificate: string;
  readonly key: string;
  /** Their texts in this order are the chain. */
  readonly chain: readonly string[];
  readonly root: string;
};

const istioLayout: CacertsLayout = {
  certificate: "ca-cert.pem",
  key: "ca-key.pem",
  chain: ["cert-chain.pem"],
  root: "root-cert.pem",
};

const tlsLayout: CacertsLayout = {
  certificate: "tls.crt",
  key: "tls.key",
  chain: ["tls.crt", "ca.crt"],
  root: "ca.crt",
};

/** Certificate revocation lists, in either layout. */
export const revocationFile = "ca-crl.pem";

/** Marks a directory whose CA istiod has signed itself. */
export const markerFile = "istio-generated";

/**
 * Returns the layout of a directory with these files.
 *
 * As istiod: `tls.crt` decides. Beyond it, a directory with nothing but the other files of a TLS Secret is half a TLS
 * Secret and not an empty directory.
 */
export function detectLayout(present: ReadonlySet<string>): CacertsLayout {
  if (present.has(tlsLayout.certificate)) return tlsLayout;
  if (filesOf(istioLayout).some((name) => present.has(name))) return istioLayout;
  return filesOf(tlsLayout).some((name) => present.has(name)) ? tlsLayout : istioLayout;
}

/** The files that a directory of that layout must hold, each once. */
export function filesOf(layout: CacertsLayout): readonly string[] {
  return [...new Set([layout.certificate, layout.key, ...layout.chain, layout.root])];
}
