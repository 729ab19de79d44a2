/** Returns `octets` as text if all of them are ASCII, else undefined. */
export function asciiText(octets: Uint8Array): string | undefined {
  let text = "";
  for (const octet of octets) {
    if (octet > 0x7f) {
      return undefined;
    }
    text += String.fromCharCode(octet);
  }
  return text;
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
