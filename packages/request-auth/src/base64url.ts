const invalid = 0;
const letter = 1;
const padding = 2;
const space = 3;

const classOf = classify();

function classify(): Uint8Array {
  const classes = new Uint8Array(256);
  const mark = (characters: string, as: number): void => {
    for (let at = 0; at < characters.length; at++) classes[characters.charCodeAt(at)] = as;
  };
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", letter);
  mark("=", padding);
  mark(" \t\n\v\f\r", space);
  return classes;
}

/** Whether a character, by its code, is of the alphabet of base64url (RFC 4648 section 5). */
export function isBase64UrlLetter(code: number): boolean {
  return classOf[code] === letter;
}

/**
 * The octets of base64url text as Envoy reads it, or undefined: white space anywhere, padding complete or absent, and
 * stray bits in the last letter are all let pass. In `strict` reading the text must be the canonical one, without any of them.
 */
export function decodeBase64Url(text: string, strict = false): Buffer | undefined {
  const octets = Buffer.from(text, "base64url");
  // Nearly all text is canonical, and the engine compares much faster than we could.
  if (octets.toString("base64url") === text) return octets;
  return !strict && isLenientBase64Url(text) ? octets : undefined;
}

function isLenientBase64Url(text: string): boolean {
  let letters = 0;
  let pads = 0;
  for (let at = 0; at < text.length; at++) {
    switch (classOf[text.charCodeAt(at)] ?? invalid) {
      case letter:
        if (pads > 0) return false;
        letters++;
        break;
      case padding:
        pads++;
        break;
      case space:
        break;
      default:
        return false;
    }
  }
  const rest = letters % 4;
  return rest !== 1 && (pads === 0 || (rest !== 0 && pads === 4 - rest));
}
