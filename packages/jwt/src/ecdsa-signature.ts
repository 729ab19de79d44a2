const integerTag = 0x02;
const sequenceTag = 0x30;

/**
 * Returns the DER form (RFC 3279 section 2.2.3) of an ECDSA signature in JWS form, r and s of `integerBytes` octets each
 * (RFC 7518 section 3.4), or undefined when its length is another.
 *
 * OpenSSL could do it, at about 20 us a signature: bare keys without an options object are much cheaper in Node.
 */
export function ecdsaSignatureToDer(signature: Uint8Array, integerBytes: number): Buffer | undefined {
  if (signature.length !== 2 * integerBytes) return undefined;
  const r = firstSignificant(signature, 0, integerBytes);
  const s = firstSignificant(signature, integerBytes, 2 * integerBytes);
  const rLength = integerLength(signature, r, integerBytes);
  const sLength = integerLength(signature, s, 2 * integerBytes);
  const bodyLength = 4 + rLength + sLength;
  const longForm = bodyLength > 127 ? 1 : 0;
  // Buffer.alloc: the zero octet before an integer whose top bit is set needs no writing.
  const der = Buffer.alloc(2 + longForm + bodyLength);
  der[0] = sequenceTag;
  if (longForm === 1) der[1] = 0x81;
  der[1 + longForm] = bodyLength;
  let at = 2 + longForm;
  for (const [start, end, length] of [
    [r, integerBytes, rLength],
    [s, 2 * integerBytes, sLength],
  ] as const) {
    der[at] = integerTag;
    der[at + 1] = length;
    der.set(signature.subarray(start, end), at + 2 + length - (end - start));
    at += 2 + length;
  }
  return der;
}

/** Index of the first octet that counts; the last one always does, so that zero keeps one octet. */
function firstSignificant(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end - 1 && bytes[at] === 0) at++;
  return at;
}

function integerLength(bytes: Uint8Array, start: number, end: number): number {
  return end - start + ((bytes[start] ?? 0) & 0x80 ? 1 : 0);
}
