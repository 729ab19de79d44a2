import type { SpiffeId } from "@signet/spiffe";
import type { Certificate, CertificateChain } from "./certificate.ts";
import type { KeyPair } from "./key-pair.ts";

/** A workload's identity: chain and key, the leaf naming exactly one SPIFFE ID. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  readonly chain: CertificateChain;
  readonly key: KeyPair;
}
export function spiffeIdOf(certificate: Certificate): SpiffeId {
  throw new Error(`not built yet ${certificate.der.length}`);
}
