const poolBytes = 4096;

/**
 * Returns a function like `randomBytes` that draws from it in bulk, since a call for 16 bytes costs nearly what one for
 * 4 KiB does. No byte is handed out twice.
 *
 * For serial numbers, which are published: bytes that wait in memory must not be anybody's secret.
 */
export function createRandomPool(randomBytes: (size: number) => Uint8Array): (size: number) => Uint8Array {
  let pool = new Uint8Array(0);
  let used = 0;
  return (size) => {
    if (used + size > pool.length) {
      pool = Uint8Array.from(randomBytes(Math.max(poolBytes, size)));
      used = 0;
    }
    used += size;
    return pool.subarray(used - size, used);
  };
}
