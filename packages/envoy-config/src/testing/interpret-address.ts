import { isIP } from "node:net";
import type { Json } from "../envoy-filter.ts";
import { fieldsOf } from "./interpret-text.ts";

/** Whether an address is in a `CidrRange`; there are no ranges over both families. */
export function matchesRange(range: Json | undefined, address: string | undefined): boolean {
  const { addressPrefix, prefixLen } = fieldsOf(range);
  const wanted = bitsOf(String(addressPrefix));
  const found = bitsOf((address ?? "").replace(/%.*$/, ""));
  if (wanted === undefined || found === undefined || wanted.length !== found.length) return false;
  return wanted.slice(0, Number(prefixLen)) === found.slice(0, Number(prefixLen));
}

/** The bits of an address in a text of zeros and ones. */
function bitsOf(address: string): string | undefined {
  const family = address.includes("%") ? 0 : isIP(address);
  if (family === 4)
    return address
      .split(".")
      .map((part) => binary(Number(part), 8))
      .join("");
  if (family !== 6) return undefined;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = "", a, b, c, d] = dotted ?? [];
  const hex = (one: unknown, other: unknown): string => (Number(one) * 256 + Number(other)).toString(16);
  const text = dotted === null ? address : `${head}${hex(a, b)}:${hex(c, d)}`;
  const [before = "", after] = text.split("::");
  const [start, end] = [before, after ?? ""].map((part) => (part === "" ? [] : part.split(":")));
  const missing = 8 - (start?.length ?? 0) - (end?.length ?? 0);
  const words = [
    ...(start ?? []),
    ...Array.from({ length: after === undefined ? 0 : missing }, () => "0"),
    ...(end ?? []),
  ];
  return words.map((word) => binary(Number.parseInt(word, 16), 16)).join("");
}

function binary(value: number, width: number): string {
  return value.toString(2).padStart(width, "0");
}
