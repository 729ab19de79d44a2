/** Which key a SubjectPublicKeyInfo holds. */
export type PublicKeyInfo =
  | { readonly kind: "ec"; readonly curve: "P-256" | "P-384" | "P-521" }
  | { readonly kind: "rsa"; readonly bits: number }
  | { readonly kind: "ed25519" };
