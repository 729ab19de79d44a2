import { assertNever } from "../assert-never.ts";
import type { Facts, IpName } from "../facts.ts";
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

/** A value that a dimension of a request may have. */
export type IndexKey =
  | { readonly dimension: Dimension; readonly form: "exact" | "prefix" | "suffix"; readonly text: string }
  | { readonly dimension: Dimension; readonly form: "port"; readonly port: number }
  | { readonly dimension: Dimension; readonly form: "block"; readonly block: IpBlock };

/** Equal for keys that are the same place of an index. */
export function keyName(key: IndexKey): string {
  switch (key.form) {
    case "port":
      return `${key.dimension.id}|port|${key.port}`;
    case "block":
      return `${key.dimension.id}|block|${key.block.family}|${key.block.prefixLength}|${key.block.words.join(".")}`;
    case "exact":
    case "prefix":
    case "suffix":
      return `${key.dimension.id}|${key.form}|${key.text}`;
    default:
      return assertNever(key);
  }
}
