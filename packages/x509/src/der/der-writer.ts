import { tag } from "./tag.ts";

/** An element that holds others; built cheaply, written once by `encodeDer`. */
export interface DerNode {
  readonly tag: number;
  /** Octets that come before the parts, such as the count of unused bits of a BIT STRING. */
  readonly prefix: number | undefined;
  readonly parts: readonly DerValue[];
  readonly contentLength: number;
}

/** Bytes that are DER already, or a node to be written. */
export type DerValue = Uint8Array | DerNode;

/** Returns an element of that tag around `parts`; bytes among them are content as they stand. */
export function derNode(tag: number, parts: readonly DerValue[], prefix?: number): DerNode {
  let contentLength = prefix === undefined ? 0 : 1;
  for (const part of parts) {
    contentLength += encodedLength(part);
  }
  return { tag, prefix, parts, contentLength };
}

/** Returns a SEQUENCE of `parts`. */
export function sequence(...parts: readonly DerValue[]): DerNode {
  return derNode(tag.sequence, parts);
}

/** Returns a BIT STRING of whole octets. */
export function bitString(content: DerValue): DerNode {
  return derNode(tag.bitString, [content], 0);
}

/** Returns an OCTET STRING around bytes or around the DER of a node. */
export function octetString(content: DerValue): DerNode {
  return derNode(tag.octetString, [content]);
}

/** Returns the INTEGER whose unsigned big-endian octets are given, in its shortest form (X.690 section 8.3). */
export function unsignedInteger(octets: Uint8Array): DerNode {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) {
    start++;
  }
  const shortest = octets.subarray(start);
  return derNode(tag.integer, [shortest], (shortest[0] ?? 0x80) > 0x7f ? 0 : undefined);
}

/** Returns the bytes of `value`, a new array unless `value` is bytes already. */
export function encodeDer(value: DerValue): Uint8Array {
  if (value instanceof Uint8Array) {
    return value;
  }
  const target = new Uint8Array(encodedLength(value));
  write(value, target, 0);
  return target;
}

function encodedLength(value: DerValue): number {
  if (value instanceof Uint8Array) {
    return value.length;
  }
  return 1 + lengthOctets(value.contentLength) + value.contentLength;
}

function lengthOctets(length: number): number {
  if (length < 0x80) {
    return 1;
  }
  return length < 0x100 ? 2 : length < 0x10000 ? 3 : 4;
}

/** Writes `value` at `at` and returns the offset behind it. */
function write(value: DerValue, target: Uint8Array, at: number): number {
  if (value instanceof Uint8Array) {
    target.set(value, at);
    return at + value.length;
  }
  target[at] = value.tag;
  let position = writeLength(value.contentLength, target, at + 1);
  if (value.prefix !== undefined) {
    target[position++] = value.prefix;
  }
  for (const part of value.parts) {
    position = write(part, target, position);
  }
  return position;
}

function writeLength(length: number, target: Uint8Array, at: number): number {
  const octets = lengthOctets(length);
  if (octets === 1) {
    target[at] = length;
    return at + 1;
  }
  target[at] = 0x80 | (octets - 1);
  for (let index = octets - 1; index > 0; index--) {
    target[at + octets - index] = (length >>> ((index - 1) * 8)) & 0xff;
  }
  return at + octets;
}
