/** One subject alternative name; structured, never joined into a text and split again (RFC 5280 section 4.2.1.6). */
export type SubjectAltName =
  | { readonly kind: "uri" | "dns"; readonly value: string }
  | { readonly kind: "ip"; readonly value: string }
  | { readonly kind: "other"; readonly tag: number; readonly der: Uint8Array };
