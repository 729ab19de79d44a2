import { privateKeyPem } from "@signet/x509";
import type { TestCa } from "@signet/x509/testing";

/**
 * Certificate and key of an issuer, as one text.
 * @example
 * ```ts
 * import { issuerBundle } from "@signet/ca-vault/testing";
 * import { testRoot } from "@signet/x509/testing";
 * issuerBundle(await testRoot()); // "-----BEGIN CERTIFICATE-----..."
 * ```
 */
export function issuerBundle({ pem, key }: TestCa): string {
  return `${pem}${privateKeyPem(key, "traditional")}`;
}
