import { parseSpiffeId, SpiffeError, type SpiffeId } from "@signet/spiffe";
import type { Certificate, CertificateChain } from "./certificate.ts";
import { X509Error } from "./errors.ts";
import type { KeyPair } from "./key-pair.ts";

/** A workload's identity: chain and key, the leaf naming exactly one SPIFFE ID. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  readonly chain: CertificateChain;
  readonly key: KeyPair;
}

/**
 * Returns the SPIFFE ID a certificate names; it says nothing about trust, `verifySvid` does.
 *
 * A certificate with more than one URI names nobody (X509-SVID section 2). Names of other kinds may stand beside it.
 * @throws X509Error `svid-uri-count`, `spiffe-id-invalid`
 * @example
 * ```ts
 * import { type Certificate, spiffeIdOf } from "@signet/x509";
 * export function nameForLog(certificate: Certificate): string {
 *   return spiffeIdOf(certificate);
 * }
 * ```
 */
export function spiffeIdOf(certificate: Certificate): SpiffeId {
  const uris = certificate.subjectAltNames.flatMap((name) => (name.kind === "uri" ? [name.value] : []));
  const [uri] = uris;
  if (uri === undefined || uris.length > 1) {
    throw new X509Error("svid-uri-count", `certificate names ${uris.length} URIs, not exactly one SPIFFE ID`);
  }
  try {
    return parseSpiffeId(uri);
  } catch (cause) {
    if (cause instanceof SpiffeError) {
      throw new X509Error("spiffe-id-invalid", `URI of the certificate is not a SPIFFE ID: ${cause.message}`, {
        cause,
      });
    }
    throw cause;
  }
}
