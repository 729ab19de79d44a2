import { privateKeyPem } from "@signet/x509";
import type { TestCa } from "@signet/x509/testing";

/** Certificate and key of an issuer, as one text. */
export function issuerBundle({ pem, key }: TestCa): string {
  return `${pem}${privateKeyPem(key, "traditional")}`;
}
