import { X509Error } from "./errors.ts";

/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

/** Longest PEM text split, in characters: what fits into a gRPC message of the usual size limit. */
export const maxPemCharacters: number = 4 * 1024 * 1024;

const begin = "-----BEGIN ";
const end = "-----END ";
const dashes = "-----";
/** All labels in use (RFC 7468 section 4); anything else may be the key of a file that lost its lines, and is quoted nowhere. */
const labelForm = /^[A-Z0-9][A-Z0-9 ]{0,63}$/;

/**
 * Returns every block of a PEM text, in order; text between blocks is skipped.
 *
 * Base64 is strict: whitespace between characters, nothing else, and correct padding (RFC 7468 section 3). Headers as in
 * encrypted keys are refused.
 * @throws X509Error `pem-malformed` if there is no block, or one is broken; `pem-too-large` beyond 4 Mi characters
 * @example
 * ```ts
 * import { encodePem, splitPem } from "@signet/x509";
 * const text = encodePem("DATA", Uint8Array.of(1, 2, 3));
 * const [block] = splitPem(text); // { label: "DATA", der: Uint8Array [1, 2, 3] }
 * ```
 */
export function splitPem(text: string): readonly PemBlock[] {
  if (text.length > maxPemCharacters) {
    throw new X509Error("pem-too-large", `PEM text of ${text.length} characters exceeds ${maxPemCharacters}`);
  }
  const blocks: PemBlock[] = [];
  for (let found = nextPemBlock(text, 0); found !== undefined; found = nextPemBlock(text, found.end)) {
    blocks.push(found);
  }
  if (blocks.length === 0) {
    throw new X509Error("pem-malformed", "text holds no PEM block");
  }
  return blocks;
}

/**
 * Returns the bytes of every block of a PEM text, all of which must carry exactly `label`.
 * @throws X509Error `pem-malformed` if there is no block, one is broken or has another label; `pem-too-large`
 * @example
 * ```ts
 * import { encodePem, parsePem } from "@signet/x509";
 * const [der] = parsePem(encodePem("CERTIFICATE", Uint8Array.of(0x30, 0x00)), "CERTIFICATE");
 * ```
 */
export function parsePem(text: string, label: string): readonly Uint8Array[] {
  return splitPem(text).map((block) => {
    if (block.label !== label) {
      throw new X509Error("pem-malformed", `PEM block is labelled ${JSON.stringify(block.label)}, not "${label}"`);
    }
    return block.der;
  });
}

/**
 * Returns `der` as one PEM block: 64 columns, one newline at the end (RFC 7468 section 2).
 * @example
 * ```ts
 * import { encodePem } from "@signet/x509";
 * encodePem("CERTIFICATE", Uint8Array.of(0x30, 0x00)); // "-----BEGIN CERTIFICATE-----\nMAA=\n-----END ..."
 * ```
 */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = der.toBase64();
  let text = `${begin}${label}${dashes}\n`;
  for (let at = 0; at < base64.length; at += 64) {
    text += `${base64.slice(at, at + 64)}\n`;
  }
  return `${text}${end}${label}${dashes}\n`;
}

/**
 * Returns the first block at or behind `from`, and the offset behind it; undefined if there is none.
 * @throws X509Error `pem-malformed`
 */
export function nextPemBlock(text: string, from: number): (PemBlock & { readonly end: number }) | undefined {
  const start = lineStart(text, from);
  if (start < 0) {
    return undefined;
  }
  const labelEnd = text.indexOf(dashes, start + begin.length);
  const label = text.slice(start + begin.length, labelEnd);
  if (labelEnd < 0 || !labelForm.test(label)) {
    throw new X509Error("pem-malformed", "PEM label is malformed or not closed by dashes");
  }
  const bodyStart = labelEnd + dashes.length;
  const bodyEnd = text.indexOf(dashes, bodyStart);
  if (bodyEnd < 0 || !isClosing(text, bodyEnd, label)) {
    throw new X509Error("pem-malformed", `PEM block "${label}" is not closed by a line of its own label`);
  }
  return {
    label,
    der: decodeBase64(text.slice(bodyStart, bodyEnd), label),
    end: bodyEnd + end.length + label.length + dashes.length,
  };
}

/** Whether the closing line of `label` begins at `at`. */
function isClosing(text: string, at: number, label: string): boolean {
  const labelStart = at + end.length;
  const labelEnd = labelStart + label.length;
  return text.startsWith(end, at) && text.startsWith(label, labelStart) && text.startsWith(dashes, labelEnd);
}

/** Offset of the next opening line; an encapsulation boundary stands at the start of a line. */
function lineStart(text: string, from: number): number {
  let at = text.indexOf(begin, from);
  while (at > 0 && text[at - 1] !== "\n" && text[at - 1] !== "\r" && at !== from) {
    at = text.indexOf(begin, at + 1);
  }
  return at;
}

function decodeBase64(body: string, label: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(body, { lastChunkHandling: "strict" });
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      throw new X509Error("pem-malformed", `PEM block "${label}" is not base64`, { cause });
    }
    throw cause;
  }
}
