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
  const r = significantOctets(signature.subarray(0, integerBytes));
  const s = significantOctets(signature.subarray(integerBytes));
  const bodyLength = encodedLength(r) + encodedLength(s);
  const headerLength = bodyLength > 127 ? 3 : 2;
  // Zero-filled: the octet that keeps a high integer positive needs no writing.
  const der = Buffer.alloc(headerLength + bodyLength);
  der[0] = sequenceTag;
  if (headerLength === 3) der[1] = 0x81;
  der[headerLength - 1] = bodyLength;
  writeInteger(der, r, headerLength);
  writeInteger(der, s, headerLength + encodedLength(r));
  return der;
}

/** The octets from the first that is not zero; zero itself keeps one. */
function significantOctets(integer: Uint8Array): Uint8Array {
  let at = 0;
  while (at < integer.length - 1 && integer[at] === 0) at++;
  return integer.subarray(at);
}

function encodedLength(octets: Uint8Array): number {
  return 2 + octets.length + leadingZero(octets);
}

/** DER integers are signed: a set top bit needs a zero octet before it. */
function leadingZero(octets: Uint8Array): 0 | 1 {
  return (octets[0] ?? 0) >= 0x80 ? 1 : 0;
}

function writeInteger(der: Buffer, octets: Uint8Array, at: number): void {
  der[at] = integerTag;
  der[at + 1] = octets.length + leadingZero(octets);
  der.set(octets, at + 2 + leadingZero(octets));
}
