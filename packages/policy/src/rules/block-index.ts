import type { IpFact } from "../facts.ts";
import type { IpBlock } from "../match/ip-address.ts";
import type { Bucket } from "./rule-index.ts";
import type { RuleSearch } from "./rule-search.ts";

/** Bits of an address that buckets are told apart by: as many as a number holds exactly. */
const maxBits = 52;

type Length = { readonly bits: number; readonly buckets: Map<number, Bucket> };

/** Buckets by blocks of addresses: for each length of prefix one look, so at most 33 for IPv4 and 53 for IPv6. */
export class BlockIndex {
  readonly #ipv4: Length[] = [];
  /** Blocks longer than `maxBits` are taken together. */
  readonly #ipv6: Length[] = [];

  at({ family, words, prefixLength }: IpBlock, make: () => Bucket): Bucket {
    const bits = Math.min(prefixLength, maxBits);
    const lengths = family === 4 ? this.#ipv4 : this.#ipv6;
    let length = lengths.find((known) => known.bits === bits);
    if (length === undefined) {
      length = { bits, buckets: new Map() };
      lengths.push(length);
    }
    const key = leadingBits(words[0] ?? 0, words[1] ?? 0, bits);
    const bucket = length.buckets.get(key) ?? make();
    length.buckets.set(key, bucket);
    return bucket;
  }

  visit(ip: IpFact, search: RuleSearch): void {
    if (ip === "absent") return;
    if (ip === "malformed") {
      // Of what is no address nobody can say that a rule does not match.
      for (const { buckets } of [...this.#ipv4, ...this.#ipv6])
        for (const bucket of buckets.values()) search.visit(bucket);
      return;
    }
    const first = typeof ip === "number" ? ip : (ip.words[0] ?? 0);
    const second = typeof ip === "number" ? 0 : (ip.words[1] ?? 0);
    const lengths = typeof ip === "number" ? this.#ipv4 : this.#ipv6;
    for (let index = 0; index < lengths.length; index++) {
      const length = lengths[index];
      const bucket = length?.buckets.get(leadingBits(first, second, length.bits));
      if (bucket !== undefined) search.visit(bucket);
    }
  }
}

function leadingBits(first: number, second: number, bits: number): number {
  if (bits === 0) return 0;
  if (bits <= 32) return first >>> (32 - bits);
  return first * 2 ** (bits - 32) + (second >>> (64 - bits));
}
