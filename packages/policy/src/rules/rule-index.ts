import { assertNever } from "../assert-never.ts";
import type { Facts } from "../facts.ts";
import { flatText } from "../match/flat-text.ts";
import { BlockIndex } from "./block-index.ts";
import type { Candidate } from "./candidate.ts";
import type { Dimension, IndexKey } from "./index-key.ts";
import type { RuleSearch } from "./rule-search.ts";
import { Trie } from "./trie.ts";

/** Rules that may match a request once it is here: a few, one after the other, or more, by another thing of the request. */
export type Bucket = {
  /** The smallest of those of its rules that deny, and of the others. */
  denyRank: number;
  otherRank: number;
  /** In order of rank. */
  denying: readonly Candidate[];
  others: readonly Candidate[];
  dimensions: readonly DimensionIndex[];
};

export function emptyBucket(): Bucket {
  const none = Number.POSITIVE_INFINITY;
  return { denyRank: none, otherRank: none, denying: [], others: [], dimensions: [] };
}

/** Buckets by what one thing of a request is. */
export class DimensionIndex {
  readonly #dimension: Dimension;
  readonly #usesTrie: boolean;
  readonly #exact = new Map<string, Bucket>();
  #prefixes: Trie<Bucket> | undefined;
  #suffixes: Trie<Bucket> | undefined;
  readonly #ports = new Map<number, Bucket>();
  readonly #blocks = new BlockIndex();

  /** Where there are prefixes a text is walked for them anyway, and whole texts are found on that walk too. */
  constructor(dimension: Dimension, { hasPrefixes }: { readonly hasPrefixes: boolean }) {
    this.#dimension = dimension;
    this.#usesTrie = hasPrefixes;
  }

  /** The bucket of a key, made if there is none. */
  at(key: IndexKey): Bucket {
    switch (key.form) {
      case "exact":
        if (this.#usesTrie) return this.#prefixAt(key.text, "exact");
        return getOrMake(this.#exact, flatText(key.text));
      case "prefix":
        return this.#prefixAt(key.text, "prefix");
      case "suffix":
        this.#suffixes ??= new Trie(true);
        return this.#suffixes.at(key.text, { form: "prefix", make: emptyBucket });
      case "port":
        return getOrMake(this.#ports, key.port);
      case "block":
        return this.#blocks.at(key.block, emptyBucket);
      default:
        return assertNever(key);
    }
  }

  #prefixAt(text: string, form: "exact" | "prefix"): Bucket {
    this.#prefixes ??= new Trie(false);
    return this.#prefixes.at(text, { form, make: emptyBucket });
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
        const bucket = this.#ports.get(facts.request.destinationPort ?? -1);
        if (bucket !== undefined) search.visit(bucket);
        return;
      }
      case "ip":
        this.#blocks.visit(facts.ip(dimension.name), search);
        return;
      default:
        assertNever(dimension);
    }
  }

  #visitText(text: string, search: RuleSearch): void {
    if (this.#prefixes !== undefined) this.#prefixes.visit(text, 0, search);
    else {
      const bucket = this.#exact.get(text);
      if (bucket !== undefined) search.visit(bucket);
    }
    if (this.#suffixes !== undefined) this.#suffixes.visit(text, 0, search);
  }

  #visitTexts(texts: readonly unknown[], search: RuleSearch): void {
    for (const text of texts) {
      if (typeof text === "string") this.#visitText(text, search);
    }
  }

  #visitSegments(text: string, separator: string, search: RuleSearch): void {
    const prefixes = this.#prefixes;
    if (prefixes === undefined) return;
    for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
      prefixes.visit(text, at + separator.length, search);
    }
  }
}

function getOrMake<K>(map: Map<K, Bucket>, key: K): Bucket {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = emptyBucket();
  map.set(key, made);
  return made;
}
