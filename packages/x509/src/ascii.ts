/** Returns `octets` as text if all of them are ASCII, else undefined. */
export function asciiText(octets: Uint8Array): string | undefined {
  for (let index = 0; index < octets.length; index++) {
    if ((octets[index] ?? 0) > 0x7f) {
      return undefined;
    }
  }
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("latin1");
}

/** Returns the octets of `text` if all its characters are ASCII, else undefined. */
export function asciiOctets(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) {
      return undefined;
    }
    octets[index] = code;
  }
  return octets;
}
