/** One hop of an `x-forwarded-client-cert` header: its pairs in order, keys in lower case. */
export type ForwardedElement = readonly { readonly key: string; readonly value: string }[];

/** Largest header that is looked at, in characters. */
export const maxForwardedLength: number = 64 * 1024;

/**
 * Returns the last element of an `x-forwarded-client-cert` header, which is the one that the peer itself has added, or
 * undefined when it is not written as Envoy writes it or the header exceeds 64 KiB.
 *
 * The header is read from its end: what came before the last comma outside quotes was written by somebody further away,
 * and no quote of theirs may reach into what the peer wrote. An element is `key=value` pairs separated by `;`; a value
 * may be in double quotes, in which a backslash precedes a quote that does not end it.
 */
export function parseLastForwardedElement(header: string): ForwardedElement | undefined {
  if (header.length > maxForwardedLength || !isPrintable(header)) return undefined;
  const start = startOfLastElement(header);
  return start === undefined ? undefined : parseElement(header.slice(start));
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

function startOfLastElement(header: string): number | undefined {
  let quoted = false;
  for (let at = header.length - 1; at >= 0; at -= 1) {
    const character = header[at];
    if (character === '"' && !isEscaped(header, at)) quoted = !quoted;
    else if (character === "," && !quoted) return at + 1;
  }
  // A quote that nobody opened: then no comma can be told from text.
  return quoted ? undefined : 0;
}

/** Whether an odd number of backslashes stands before `at`. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}

const pairSyntax = /([A-Za-z]{1,32})=(?:"((?:[^"\\]|\\.)*)"|([^",;\\]*))(;|$)/y;

function parseElement(text: string): ForwardedElement | undefined {
  const element = text.trim();
  const pairs: { key: string; value: string }[] = [];
  pairSyntax.lastIndex = 0;
  while (pairSyntax.lastIndex < element.length) {
    const match = pairSyntax.exec(element);
    if (match === null) return undefined;
    const [, key = "", quoted, plain = "", end] = match;
    pairs.push({ key: key.toLowerCase(), value: quoted?.replaceAll(/\\(.)/g, "$1") ?? plain });
    // A ";" with nothing behind it.
    if (end === ";" && pairSyntax.lastIndex === element.length) return undefined;
  }
  return pairs.length === 0 ? undefined : pairs;
}
