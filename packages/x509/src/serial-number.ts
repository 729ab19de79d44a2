/** Returns 16 random bytes that are not all zero. */
export function randomSerialNumber(randomBytes: (size: number) => Uint8Array): Uint8Array {
  throw new Error(`not built yet ${randomBytes.length}`);
}
