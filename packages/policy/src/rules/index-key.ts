import type { Facts, IpName } from "../facts.ts";
import { flatText } from "../match/flat-text.ts";
import type { IpBlock } from "../match/ip-address.ts";

/** Something of a request that rules are found by. Equal ids are the same thing. */
export type Dimension =
  /** A text, or several of which each counts. */
  | {
      readonly kind: "text";
      readonly id: string;
      readonly read: (facts: Facts) => unknown;
    }
  /** Every place of a text that follows a separator: namespaces in a principal follow `/ns/`. */
  | {
      readonly kind: "segments";
      readonly id: string;
      readonly separator: string;
      readonly read: (facts: Facts) => string | undefined;
    }
  | { readonly kind: "port"; readonly id: string }
  | { readonly kind: "ip"; readonly id: string; readonly name: IpName };

/** A value that a dimension of a request may have; equal names are the same place of an index. */
export type IndexKey = { readonly dimension: Dimension; readonly name: string } & (
  | { readonly form: "exact" | "prefix" | "suffix"; readonly text: string }
  | { readonly form: "port"; readonly port: number }
  | { readonly form: "block"; readonly block: IpBlock }
);

export function textKey(dimension: Dimension, form: "exact" | "prefix" | "suffix", text: string): IndexKey {
  return { dimension, name: flatText(`${dimension.id}|${form}|${text}`), form, text };
}

export function portKey(dimension: Dimension, port: number): IndexKey {
  return { dimension, name: `${dimension.id}|${port}`, form: "port", port };
}

export function blockKey(dimension: Dimension, block: IpBlock): IndexKey {
  const { family, prefixLength, words } = block;
  return { dimension, name: `${dimension.id}|${family}|${prefixLength}|${words.join(".")}`, form: "block", block };
}
