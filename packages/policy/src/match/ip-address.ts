/** An address: one number for IPv4; four of 32 bits for IPv6, most significant first. */
export type IpAddress = number | { readonly words: readonly number[] };

/** A block of addresses; bits past the prefix are kept as written and do not count. */
export type IpBlock = {
  readonly family: 4 | 6;
  /** One for IPv4, four for IPv6. */
  readonly words: readonly number[];
  readonly prefixLength: number;
};

/** Longest text of an address that is looked at. */
const maxLength = 64;

/**
 * Returns the address that a text is, or undefined. IPv4 has four decimal numbers without leading zeros; IPv6 may end in an
 * IPv4 address (RFC 4291 section 2.2), and is IPv6 even if it is IPv4-mapped. No brackets, no zone.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length === 0 || text.length > maxLength) return undefined;
  const word = parseIpv4(text, 0);
  if (word >= 0) return word;
  const groups = parseIpv6(text);
  if (groups === undefined) return undefined;
  const words = [0, 2, 4, 6].map((at) => ((groups[at] ?? 0) * 0x1_0000 + (groups[at + 1] ?? 0)) >>> 0);
  return { words };
}

/** Returns the block that a text is: an address, or an address, a slash and the length of a prefix. */
export function parseIpBlock(text: string): IpBlock | undefined {
  const slash = text.indexOf("/");
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const isIpv4 = typeof address === "number";
  const words = isIpv4 ? [address] : address.words;
  const max = isIpv4 ? 32 : 128;
  const family = isIpv4 ? 4 : 6;
  if (slash < 0) return { family, words, prefixLength: max };
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > max) return undefined;
  return { family, words, prefixLength: Number(length) };
}

/** Says whether an address is in a block; families never mix. */
export function isInBlock({ family, words, prefixLength }: IpBlock, address: IpAddress): boolean {
  if (typeof address === "number") {
    return family === 4 && (prefixLength === 0 || ((words[0] ?? 0) ^ address) >>> (32 - prefixLength) === 0);
  }
  if (family === 4) return false;
  for (let index = 0, left = prefixLength; left > 0; index++, left -= 32) {
    const differing = ((words[index] ?? 0) ^ (address.words[index] ?? 0)) >>> (left >= 32 ? 0 : 32 - left);
    if (differing !== 0) return false;
  }
  return true;
}

/** The address from `start` to the end of the text as a number, or -1. */
function parseIpv4(text: string, start: number): number {
  let word = 0;
  let octet = -1;
  let dots = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return -1;
      word = word * 256 + octet;
      octet = -1;
      continue;
    }
    const digit = code - 0x30;
    // An octet that began with a zero has ended.
    if (digit < 0 || digit > 9 || octet === 0) return -1;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return -1;
  }
  return dots === 3 && octet >= 0 ? word * 256 + octet : -1;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? groups : undefined;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** Groups of 16 bits with colons between them, the last two as an IPv4 address where that is allowed. */
function parseGroups(text: string, mayEndInIpv4: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes(".")) {
      const word = parseIpv4(part, 0);
      if (word < 0) return undefined;
      groups.push(Math.floor(word / 0x1_0000), word % 0x1_0000);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else return undefined;
  }
  return groups;
}
