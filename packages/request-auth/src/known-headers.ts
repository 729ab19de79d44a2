import type { ParsedHeader } from "./parse-token.ts";

/** Headers of tokens that were verified, so that the next token of the same issuer costs less. */
export interface KnownHeaders {
  readonly known: ReadonlyMap<string, ParsedHeader>;
  /** Takes note of the header of a token. */
  note(token: string, header: ParsedHeader): void;
}

const maxHeaders = 256;
const maxHeaderCharacters = 512;

/** Returns a memory for 256 headers of at most 512 characters; when it is full it begins anew. */
export function createKnownHeaders(): KnownHeaders {
  const known = new Map<string, ParsedHeader>();
  return {
    known,
    note(token, header) {
      const length = token.indexOf(".");
      const text = token.slice(0, length);
      if (length < 1 || length > maxHeaderCharacters || known.has(text)) return;
      if (known.size >= maxHeaders) known.clear();
      // A copy: a part of the token's text would keep the whole token in memory.
      known.set(Buffer.from(text, "latin1").toString("latin1"), header);
    },
  };
}
