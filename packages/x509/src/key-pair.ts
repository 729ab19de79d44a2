import type { KeyObject } from "node:crypto";
import type { PublicKeyInfo } from "./public-key.ts";

/** The keys this package makes. */
export type KeyType = "P-256" | "P-384" | "P-521" | "RSA-2048" | "RSA-3072" | "RSA-4096" | "Ed25519";

/** A private key with its public half; `spki` is the DER SubjectPublicKeyInfo. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly spki: Uint8Array;
  readonly info: PublicKeyInfo;
}
export function generateKeyPair(type: KeyType): Promise<KeyPair> {
  throw new Error(`not built yet ${type}`);
}
export function parsePrivateKey(pem: string): KeyPair {
  throw new Error(`not built yet ${pem.length}`);
}
export function privateKeyPem(key: KeyPair, format: "traditional" | "pkcs8"): string {
  throw new Error(`not built yet ${key.info.kind} ${format}`);
}
/** True for keys whose signature blocks the event loop long enough to be worth the thread pool: RSA, P-384, P-521. */
export function needsThreadPool(key: KeyPair): boolean {
  throw new Error(`not built yet ${key.info.kind}`);
}
