import { type IpBlock, isInBlock, parseIpBlock } from "../match/ip-address.ts";

/** Whether every address of `narrow` is in `wide`; false for what is no block. */
export function coversBlock(wide: string, narrow: string): boolean {
  const [one, other] = [parseIpBlock(wide), parseIpBlock(narrow)];
  if (one === undefined || other === undefined || one.prefixLength > other.prefixLength) return false;
  return isInBlock(one, other.family === 4 ? (other.words[0] ?? 0) : other);
}

/** Whether bits are set that do not count. */
export function hasHostBits({ words, prefixLength }: IpBlock): boolean {
  return words.some((word, index) => {
    const counting = Math.min(Math.max(prefixLength - index * 32, 0), 32);
    return counting === 0 ? word !== 0 : counting < 32 && (word << counting) >>> 0 !== 0;
  });
}

/** Whether it is within `::ffff:0:0/96`, which holds the addresses of IPv4 (RFC 4291 section 2.5.5.2). */
export function isMappedIPv4(block: IpBlock): boolean {
  const [first, second, third] = block.words;
  return block.family === 6 && block.prefixLength >= 96 && first === 0 && second === 0 && third === 0xffff;
}
