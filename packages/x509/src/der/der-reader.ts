import { DerCursor } from "./der-cursor.ts";
import { dottedText, type ObjectIdentifier } from "./object-identifier.ts";
import { tag as tags } from "./tag.ts";
import { parseGeneralizedTime, parseUtcTime } from "./time.ts";

/** Longest object identifier read, in content octets. */
const maxObjectIdentifierBytes = 64;

/**
 * Reads DER values strictly (X.690 sections 8 to 11); see `DerCursor`.
 *
 * Three rules of section 11 are not enforced, since trust anchors in the field break them and nothing depends on them:
 * a DEFAULT value may be spelled out, named bits may end in zeros, and a SET OF may be unsorted.
 */
export class DerReader extends DerCursor {
  /** Goes into a BIT STRING of whole octets that hold DER. */
  enterBitString(): void {
    this.#bitStringHeader();
    this.goInside(1);
  }

  /** Reads an element of that tag and returns its content octets, a view. */
  content(tag: number): Uint8Array {
    this.header(tag);
    return this.bytes.subarray(this.contentStart, this.contentEnd);
  }

  /** Reads an element of that tag, whose content is of no interest. */
  pass(tag: number): void {
    this.header(tag);
  }

  /** Reads any element, checking the headers of all it contains, and returns the whole of it, a view. */
  any(): Uint8Array {
    const start = this.position;
    const tag = this.nextTag;
    if (tag < 0) {
      this.fail("an element is missing");
    }
    if ((tag & 0x20) === 0) {
      this.header(tag);
    } else {
      this.enter(tag);
      while (!this.atEnd) {
        this.any();
      }
      this.leave();
    }
    return this.bytes.subarray(start, this.position);
  }

  /** Reads a BOOLEAN: 00 or FF (X.690 section 11.1). */
  boolean(): boolean {
    this.header(tags.boolean);
    const value = this.bytes[this.contentStart];
    if (this.contentEnd - this.contentStart !== 1 || (value !== 0x00 && value !== 0xff)) {
      this.fail("BOOLEAN is neither 00 nor FF");
    }
    return value === 0xff;
  }

  /** Reads a non-negative INTEGER and returns its octets without a leading zero octet, a view; zero is one octet. */
  unsignedInteger(maxBytes: number): Uint8Array {
    const start = this.#unsignedIntegerStart();
    if (this.contentEnd - start > maxBytes) {
      this.fail(`INTEGER of ${this.contentEnd - start} bytes exceeds ${maxBytes}`);
    }
    return this.bytes.subarray(start, this.contentEnd);
  }

  /** Reads an INTEGER between 0 and 2^31 - 1. */
  smallInteger(): number {
    const start = this.#unsignedIntegerStart();
    if (this.contentEnd - start > 4) {
      this.fail("INTEGER exceeds 31 bits");
    }
    let value = 0;
    for (let at = start; at < this.contentEnd; at++) {
      value = value * 256 + (this.bytes[at] ?? 0);
    }
    if (value > 0x7fffffff) {
      this.fail("INTEGER exceeds 31 bits");
    }
    return value;
  }

  /** Reads a BIT STRING of whole octets and returns them, a view. */
  bitString(): Uint8Array {
    this.#bitStringHeader();
    return this.bytes.subarray(this.contentStart + 1, this.contentEnd);
  }

  /** Reads a BIT STRING of at most 32 named bits; bit 0 is the highest of the result. Unused bits are zero (X.690 section 11.2.1). */
  namedBits(): number {
    this.header(tags.bitString);
    const length = this.contentEnd - this.contentStart;
    const unused = this.bytes[this.contentStart] ?? 8;
    if (length < 1 || length > 5 || unused > 7 || (length === 1 && unused > 0)) {
      this.fail("BIT STRING of named bits has a wrong length");
    }
    let bits = 0;
    for (let index = 0; index < 4; index++) {
      const octet = index < length - 1 ? (this.bytes[this.contentStart + 1 + index] ?? 0) : 0;
      bits = (bits << 8) | octet;
    }
    const padding = (5 - length) * 8 + unused;
    if (padding < 32 && (bits & ((1 << padding) - 1)) !== 0) {
      this.fail("BIT STRING has unused bits that are not zero");
    }
    return bits >>> 0;
  }

  /** Reads NULL. */
  null(): void {
    this.header(tags.null);
    if (this.contentEnd !== this.contentStart) {
      this.fail("NULL is not empty");
    }
  }

  /** Reads an OBJECT IDENTIFIER and returns the one of `known` that it equals, or else a new one. */
  objectIdentifier(known: readonly ObjectIdentifier[]): ObjectIdentifier {
    this.header(tags.objectIdentifier);
    for (const candidate of known) {
      if (this.#contentEquals(candidate.content)) {
        return candidate;
      }
    }
    const content = this.bytes.subarray(this.contentStart, this.contentEnd);
    if (!isObjectIdentifier(content)) {
      this.fail("OBJECT IDENTIFIER is malformed");
    }
    return {
      dotted: dottedText(content),
      content,
      der: Uint8Array.of(tags.objectIdentifier, content.length, ...content),
    };
  }

  /** Reads a UTCTime or GeneralizedTime and returns milliseconds since 1970 (RFC 5280 section 4.1.2.5). */
  time(): number {
    const generalized = this.nextTag === tags.generalizedTime;
    this.header(generalized ? tags.generalizedTime : tags.utcTime);
    const parse = generalized ? parseGeneralizedTime : parseUtcTime;
    const milliseconds = parse(this.bytes, this.contentStart, this.contentEnd);
    if (milliseconds === undefined) {
      this.fail("time is not of the form YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ");
    }
    return milliseconds;
  }

  /** Reads the header of a non-negative INTEGER and returns where its octets start, a leading zero octet left out. */
  #unsignedIntegerStart(): number {
    this.header(tags.integer);
    const start = this.contentStart;
    const length = this.contentEnd - start;
    const first = this.bytes[start] ?? 0;
    if (length === 0) {
      this.fail("INTEGER is empty");
    }
    if (first > 0x7f) {
      this.fail("INTEGER is negative");
    }
    if (first !== 0 || length === 1) {
      return start;
    }
    // X.690 section 8.3.2: the first nine bits are not all equal.
    if ((this.bytes[start + 1] ?? 0) < 0x80) {
      this.fail("INTEGER is not in its shortest form");
    }
    return start + 1;
  }

  #bitStringHeader(): void {
    this.header(tags.bitString);
    if (this.contentEnd === this.contentStart || this.bytes[this.contentStart] !== 0) {
      this.fail("BIT STRING is not made of whole octets");
    }
  }

  #contentEquals(expected: Uint8Array): boolean {
    const length = expected.length;
    if (this.contentEnd - this.contentStart !== length) {
      return false;
    }
    // Identifiers of one family differ in their last octet.
    for (let index = length - 1; index >= 0; index--) {
      if (this.bytes[this.contentStart + index] !== expected[index]) {
        return false;
      }
    }
    return true;
  }
}

function isObjectIdentifier(content: Uint8Array): boolean {
  const last = content.at(-1);
  if (last === undefined || last > 0x7f || content.length > maxObjectIdentifierBytes) {
    return false;
  }
  // No arc is padded with 0x80 (X.690 section 8.19.2).
  return content.every((octet, index) => octet !== 0x80 || (index > 0 && (content[index - 1] ?? 0) > 0x7f));
}
