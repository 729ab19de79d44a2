const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Every certificate block of `pem`, one string each. OpenSSL stops at the first block of a text that it cannot read; given
 * one by one, a bad block costs none of the others.
 */
export function certificateBlocks(pem: string): string[] {
  return pem.match(certificateBlock) ?? [];
}
