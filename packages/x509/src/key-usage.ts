/** A key usage bit (RFC 5280 section 4.2.1.3). */
export type KeyUsage =
  | "digitalSignature"
  | "contentCommitment"
  | "keyEncipherment"
  | "dataEncipherment"
  | "keyAgreement"
  | "keyCertSign"
  | "cRLSign"
  | "encipherOnly"
  | "decipherOnly";

/** In the order of their bits, the first being the highest. */
const usages: readonly KeyUsage[] = [
  "digitalSignature",
  "contentCommitment",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
];

/** Returns the usages of a named bit list whose first bit is the highest of 32. */
export function keyUsagesOf(bits: number): ReadonlySet<KeyUsage> {
  const found = new Set<KeyUsage>();
  for (let index = 0; index < usages.length; index++) {
    const usage = usages[index];
    if (usage !== undefined && (bits & (0x80000000 >>> index)) !== 0) {
      found.add(usage);
    }
  }
  return found;
}
