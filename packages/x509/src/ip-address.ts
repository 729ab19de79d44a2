/**
 * Returns the 4 or 16 octets of an IP address in text form, or undefined if it is none.
 *
 * An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) becomes its 4 octets, as certificates made by Go have it. Zone
 * identifiers are refused.
 */
export function parseIpAddress(text: string): Uint8Array | undefined {
  const octets = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return octets === undefined ? undefined : Uint8Array.from(isMapped(octets) ? octets.slice(12) : octets);
}

/** Returns the canonical text of 4 or 16 octets (RFC 5952 section 4), or undefined for any other number of them. */
export function ipAddressText(octets: Uint8Array): string | undefined {
  if (octets.length === 4) {
    return octets.join(".");
  }
  if (octets.length !== 16) {
    return undefined;
  }
  const groups = Array.from({ length: 8 }, (_, index) => (octets[index * 2] ?? 0) * 256 + (octets[index * 2 + 1] ?? 0));
  const run = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return run.length < 2
    ? text(groups)
    : `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  const octets = parts.map(Number);
  // No leading zeros: some read them as octal.
  const wellFormed = parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part));
  return wellFormed && octets.every((octet) => octet <= 255) ? octets : undefined;
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2 || text.length > 45) {
    return undefined;
  }
  const [head, tail] = halves.map((half, index) => halfOctets(half, { mayEndInIpv4: index === halves.length - 1 }));
  const octets = [...(head ?? []), ...(tail ?? [])];
  if (octets.includes(Number.NaN) || (tail === undefined ? octets.length !== 16 : octets.length > 14)) {
    return undefined;
  }
  return [...(head ?? []), ...Array<number>(16 - octets.length).fill(0), ...(tail ?? [])];
}

/** Octets of the groups on one side of "::"; NaN stands for a group that is none. */
function halfOctets(half: string, options: { mayEndInIpv4: boolean }): number[] {
  const groups = half === "" ? [] : half.split(":");
  return groups.flatMap((group, index) => {
    if (options.mayEndInIpv4 && index === groups.length - 1 && group.includes(".")) {
      return parseIpv4(group) ?? [Number.NaN];
    }
    const value = Number.parseInt(group, 16);
    return /^[0-9a-fA-F]{1,4}$/.test(group) ? [value >>> 8, value & 0xff] : [Number.NaN];
  });
}

function isMapped(octets: readonly number[]): boolean {
  return octets.length === 16 && octets.every((octet, index) => index >= 12 || octet === (index >= 10 ? 0xff : 0));
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) {
      best = { start: index - length + 1, length };
    }
  }
  return best;
}
