/** An object identifier with its dotted text and its DER forms; a known one is compared by identity. */
export interface ObjectIdentifier {
  readonly dotted: string;
  /** Content octets, without tag and length. */
  readonly content: Uint8Array;
  /** Whole DER element. */
  readonly der: Uint8Array;
}

/** Returns the object identifier that `dotted` spells; for constants, so `dotted` is trusted. */
export function objectIdentifier(dotted: string): ObjectIdentifier {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const content = Uint8Array.from([first * 40 + second, ...rest].flatMap(base128));
  return { dotted, content, der: Uint8Array.of(0x06, content.length, ...content) };
}

/** Returns the dotted text of well-formed content octets; arcs may be of any size (X.690 section 8.19). */
export function dottedText(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if ((byte & 0x80) === 0) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [root = 0n, ...rest] = arcs;
  const first = root < 80n ? root / 40n : 2n;
  return [first, root - first * 40n, ...rest].join(".");
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f];
  for (let left = arc >>> 7; left > 0; left >>>= 7) {
    bytes.unshift((left & 0x7f) | 0x80);
  }
  return bytes;
}
