import type { SubjectAltName } from "./subject-alt-name.ts";

/** What a CA decided to sign: the whole variable part of a leaf certificate, before it is signed. */
export interface SvidTemplate {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** At least one; URI, DNS or IP. */
  readonly subjectAltNames: readonly SubjectAltName[];
  /** At most 64 characters; without it the subject is empty. */
  readonly commonName?: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}
