import { X509Error, type X509ErrorCode } from "../errors.ts";

/** Where inside the bytes a cursor stands: offsets of its first byte and of the byte after its last. */
export interface DerExtent {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

/**
 * Walks over DER elements from the front, strictly (X.690 sections 8.1 and 10.1): definite lengths in the shortest
 * form, no bytes left over, tag numbers below 31. Every violation is an X509Error of the code given, and nothing
 * outside the bytes is read. `DerReader` adds what the elements mean.
 */
export class DerCursor {
  protected readonly bytes: Uint8Array;
  protected readonly code: X509ErrorCode;
  protected readonly end: number;
  protected readonly depth: number;
  /** Content of the element whose header was read last. */
  protected contentStart = 0;
  protected contentEnd = 0;
  #position: number;

  constructor(bytes: Uint8Array, code: X509ErrorCode, extent?: DerExtent) {
    this.bytes = bytes;
    this.code = code;
    this.#position = extent?.start ?? 0;
    this.end = extent?.end ?? bytes.length;
    this.depth = extent?.depth ?? 0;
  }

  get atEnd(): boolean {
    return this.#position === this.end;
  }

  /** Tag of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.#position < this.end ? (this.bytes[this.#position] ?? -1) : -1;
  }

  /** Offset of the next element in the bytes as given. */
  get position(): number {
    return this.#position;
  }

  /** The bytes from an earlier `position` to this one, a view. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.#position);
  }

  /** Checks that everything was read. */
  finish(): void {
    if (this.#position !== this.end) {
      this.fail(`${this.end - this.#position} bytes too many`);
    }
  }

  /** Throws the cursor's error code; `problem` is about the element read last or due next. */
  fail(problem: string): never {
    throw new X509Error(this.code, `${problem} near byte ${this.#position}`);
  }

  /** Reads the header of an element that must have that tag, and steps over the element. */
  protected header(tag: number): void {
    const bytes = this.bytes;
    const start = this.#position;
    if (start + 2 > this.end) {
      this.fail("an element is missing or cut short");
    }
    if (bytes[start] !== tag || (tag & 0x1f) === 0x1f) {
      this.fail(`tag ${hex(bytes[start])} is not the ${hex(tag)} that belongs here`);
    }
    const first = bytes[start + 1] ?? 0;
    if (first < 0x80) {
      this.contentStart = start + 2;
      this.contentEnd = start + 2 + first;
    } else {
      this.#longLength(start + 1, first & 0x7f);
    }
    if (this.contentEnd > this.end) {
      this.fail("length reaches past the end");
    }
    this.#position = this.contentEnd;
  }

  /** Long form in as few octets as possible (X.690 section 10.1); 0x80 alone would be the indefinite form. */
  #longLength(at: number, count: number): void {
    if (count < 1 || count > 4 || at + count >= this.end) {
      this.fail("length is indefinite, too long or cut short");
    }
    let length = 0;
    for (let index = 1; index <= count; index++) {
      length = length * 256 + (this.bytes[at + index] ?? 0);
    }
    if (length < 0x80 || length < 256 ** (count - 1)) {
      this.fail("length is not in its shortest form");
    }
    this.contentStart = at + 1 + count;
    this.contentEnd = this.contentStart + length;
  }
}

function hex(octet: number | undefined): string {
  return (octet ?? 0).toString(16).padStart(2, "0");
}
