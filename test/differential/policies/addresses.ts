/** Addresses in and around a block: its first and last, those next to it, and the same in the other family. */
export function addressesAround(block: string): {
  readonly inside: readonly string[];
  readonly outside: readonly string[];
} {
  const [text = "", prefix] = block.split("/");
  const isV6 = text.includes(":");
  const bits = isV6 ? 128 : 32;
  const length = prefix === undefined ? bits : Number(prefix);
  const hostBits = BigInt(bits - length);
  const first = (numberOf(text) >> hostBits) << hostBits;
  const last = first + (1n << hostBits) - 1n;
  const max = (1n << BigInt(bits)) - 1n;
  const outside = [first - 1n, last + 1n]
    .filter((number) => number >= 0n && number <= max)
    .map((number) => textOf(number, isV6));
  const mapped = isV6 ? ["10.1.2.3"] : [`::ffff:${textOf(first, false)}`];
  return {
    inside: [numberOf(text), first, last].map((number) => textOf(number, isV6)),
    outside: [...outside, ...mapped],
  };
}

function numberOf(text: string): bigint {
  if (!text.includes(":")) return text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const low = numberOf(dotted[2] ?? "");
    return numberOf(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [left = "", right] = text.split("::");
  const groups = (half: string): readonly string[] => (half === "" ? [] : half.split(":"));
  const [head, tail] = [groups(left), right === undefined ? [] : groups(right)];
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail];
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function textOf(number: bigint, isV6: boolean): string {
  if (!isV6) return [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join(".");
  return Array.from({ length: 8 }, (_, at) => ((number >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(":");
}
