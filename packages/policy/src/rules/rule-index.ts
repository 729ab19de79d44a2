import { assertNever } from "../assert-never.ts";
import type { Facts } from "../facts.ts";
import type { IpAddress } from "../match/ip-address.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import type { Dimension, IndexKey } from "./index-key.ts";
import type { RuleSearch } from "./rule-search.ts";
import { Trie } from "./trie.ts";

/** Rules that may match a request once it is here: a few, one after the other, or more, by another thing of the request. */
export type Bucket = {
  /** The smallest of its rules. */
  rank: number;
  /** In order of rank. */
  rules: readonly CompiledRule[];
  dimensions: readonly DimensionIndex[];
};

/** Buckets by what one thing of a request is. */
export class DimensionIndex {
  readonly #dimension: Dimension;
  #exact: Map<string, Bucket> | undefined;
  #prefixes: Trie<Bucket> | undefined;
  #suffixes: Trie<Bucket> | undefined;
  #ports: Map<number, Bucket> | undefined;
  #blocks: BlockIndex | undefined;

  constructor(dimension: Dimension) {
    this.#dimension = dimension;
  }

  /** The bucket of a key, made if there is none. */
  at(key: IndexKey, make: () => Bucket): Bucket {
    switch (key.form) {
      case "exact":
        this.#exact ??= new Map();
        return getOrMake(this.#exact, key.text, make);
      case "prefix":
        this.#prefixes ??= new Trie(false);
        return this.#prefixes.at(key.text, make);
      case "suffix":
        this.#suffixes ??= new Trie(true);
        return this.#suffixes.at(key.text, make);
      case "port":
        this.#ports ??= new Map();
        return getOrMake(this.#ports, key.port, make);
      case "block":
        this.#blocks ??= new BlockIndex();
        return this.#blocks.at(key.block, make);
      default:
        return assertNever(key);
    }
  }

  /** Visits the buckets of all keys that a request matches. */
  visit(facts: Facts, search: RuleSearch): void {
    const dimension = this.#dimension;
    switch (dimension.kind) {
      case "text": {
        const value = dimension.read(facts);
        if (typeof value === "string") this.#visitText(value, search);
        else if (Array.isArray(value)) this.#visitTexts(value, search);
        return;
      }
      case "segments": {
        const text = dimension.read(facts);
        if (text !== undefined) this.#visitSegments(text, dimension.separator, search);
        return;
      }
      case "port": {
        const bucket = this.#ports?.get(facts.request.destinationPort ?? -1);
        if (bucket !== undefined) search.visit(bucket);
        return;
      }
      case "ip": {
        const ip = facts.ip(dimension.name);
        // Of what is no address nobody can say that a rule does not match.
        if (ip === "malformed") this.#blocks?.visitAll(search);
        else if (ip !== "absent") this.#blocks?.visit(ip, search);
        return;
      }
      default:
        assertNever(dimension);
    }
  }

  #visitText(text: string, search: RuleSearch): void {
    if (this.#exact !== undefined) {
      const bucket = this.#exact.get(text);
      if (bucket !== undefined) search.visit(bucket);
    }
    this.#prefixes?.visit(text, 0, search);
    this.#suffixes?.visit(text, 0, search);
  }

  #visitTexts(texts: readonly unknown[], search: RuleSearch): void {
    for (const text of texts) {
      if (typeof text === "string") this.#visitText(text, search);
    }
  }

  #visitSegments(text: string, separator: string, search: RuleSearch): void {
    for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
      this.#prefixes?.visit(text, at + separator.length, search);
    }
  }
}

function getOrMake<K>(map: Map<K, Bucket>, key: K, make: () => Bucket): Bucket {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

type BlockKey = { readonly family: 4 | 6; readonly words: readonly number[]; readonly prefixLength: number };

/** Bits of an address that buckets are told apart by: as many as a number holds exactly. */
const maxBits = 52;

/** Buckets by blocks of addresses: for each length of prefix one look, so at most 33 and 53 of them. */
class BlockIndex {
  /** By family and length; lengths past `maxBits` are taken together. */
  readonly #lengths = new Map<number, Map<number, Bucket>>();

  at({ family, words, prefixLength }: BlockKey, make: () => Bucket): Bucket {
    const bits = Math.min(prefixLength, maxBits);
    const length = family === 4 ? bits : 100 + bits;
    let buckets = this.#lengths.get(length);
    if (buckets === undefined) {
      buckets = new Map();
      this.#lengths.set(length, buckets);
    }
    return getOrMake(buckets, leadingBits(words, bits), make);
  }

  visit({ family, words }: IpAddress, search: RuleSearch): void {
    for (const [length, buckets] of this.#lengths) {
      if (length >= 100 !== (family === 6)) continue;
      const bucket = buckets.get(leadingBits(words, length >= 100 ? length - 100 : length));
      if (bucket !== undefined) search.visit(bucket);
    }
  }

  visitAll(search: RuleSearch): void {
    for (const buckets of this.#lengths.values()) {
      for (const bucket of buckets.values()) search.visit(bucket);
    }
  }
}

function leadingBits(words: readonly number[], bits: number): number {
  const [first = 0, second = 0] = words;
  if (bits <= 32) return Math.floor(first / 2 ** (32 - bits));
  return first * 2 ** (bits - 32) + Math.floor(second / 2 ** (64 - bits));
}
