import type { KeyObject } from "node:crypto";
import type { SpiffeId } from "@signet/spiffe";
import type { KeyPair } from "./key-pair.ts";
import type { PublicKeyInfo } from "./public-key.ts";
import type { SignatureAlgorithm } from "./signature-algorithm.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";

/** Largest CSR, in bytes of DER. */
export const maxCsrBytes = 65536;

/** A parsed PKCS#10 certification request (RFC 2986); `verifyCsr` says whether its sender holds the key. */
export interface Csr {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly hasCommonName: boolean;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** For people and tests only: a CA never signs names because a CSR asks for them. */
  readonly requestedSubjectAltNames: readonly SubjectAltName[];
}
export function parseCsr(pem: string): Csr {
  throw new Error(`not built yet ${pem.length}`);
}
export function verifyCsr(csr: Csr): boolean {
  throw new Error(`not built yet ${csr.der.length}`);
}
export function createCsr(options: { readonly key: KeyPair; readonly spiffeId: SpiffeId }): string {
  throw new Error(`not built yet ${options.spiffeId}`);
}
