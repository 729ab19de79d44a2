import { X509Error, type X509ErrorCode } from "../errors.ts";

/** Deepest nesting followed; certificates and CSRs need less than ten levels. */
export const maxDerDepth = 16;

/**
 * Walks over DER elements from the front, strictly (X.690 sections 8.1 and 10.1): definite lengths in the shortest
 * form, no bytes left over, tag numbers below 31. Every violation is an X509Error of the code given, and nothing
 * outside the bytes is read. `DerReader` adds what the elements mean.
 *
 * `enter` goes into an element, `leave` comes out of it and checks that nothing of it was left over; one that is
 * forgotten makes `finish` fail.
 */
export class DerCursor {
  protected readonly bytes: Uint8Array;
  /** Content of the element whose header was read last. */
  protected contentStart = 0;
  protected contentEnd = 0;
  readonly #code: X509ErrorCode;
  /** Ends of the elements around the one that is being read. */
  readonly #outerEnds: number[] = [];
  #position = 0;
  #end: number;

  constructor(bytes: Uint8Array, code: X509ErrorCode) {
    this.bytes = bytes;
    this.#code = code;
    this.#end = bytes.length;
  }

  /** Whether the element that was entered last has been read to its end. */
  get atEnd(): boolean {
    return this.#position === this.#end;
  }

  /** Tag of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.#position < this.#end ? (this.bytes[this.#position] ?? -1) : -1;
  }

  /** Offset of the next element in the bytes as given. */
  get position(): number {
    return this.#position;
  }

  /** The bytes from an earlier `position` to this one, a view. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.#position);
  }

  /** Goes into an element of that tag. */
  enter(tag: number): void {
    this.header(tag);
    this.goInside();
  }

  /** Comes out of the element entered last, all of which must have been read. */
  leave(): void {
    this.#checkAtEnd();
    this.#end = this.#outerEnds.pop() ?? this.#end;
  }

  /** Comes out of the element entered last, whatever else it holds. */
  leaveUnread(): void {
    this.#position = this.#end;
    this.leave();
  }

  /** Checks that everything was read. */
  finish(): void {
    this.#checkAtEnd();
    if (this.#outerEnds.length > 0) {
      this.fail("an element was not left");
    }
  }

  /** Throws the cursor's error code; `problem` is about the element read last or due next. */
  fail(problem: string): never {
    throw new X509Error(this.#code, `${problem} near byte ${this.#position}`);
  }

  /** Goes into the content of the element whose header was read last, without its first `skip` octets. */
  protected goInside(skip = 0): void {
    if (this.#outerEnds.length === maxDerDepth) {
      this.fail(`nesting exceeds ${maxDerDepth} levels`);
    }
    this.#outerEnds.push(this.#end);
    this.#position = this.contentStart + skip;
    this.#end = this.contentEnd;
  }

  /** Reads the header of an element that must have that tag, and steps over the element. */
  protected header(tag: number): void {
    const bytes = this.bytes;
    const start = this.#position;
    if (start + 2 > this.#end) {
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
    if (this.contentEnd > this.#end) {
      this.fail("length reaches past the end");
    }
    this.#position = this.contentEnd;
  }

  #checkAtEnd(): void {
    if (this.#position !== this.#end) {
      this.fail(`${this.#end - this.#position} bytes too many`);
    }
  }

  /** Long form in as few octets as possible (X.690 section 10.1); 0x80 alone would be the indefinite form. */
  #longLength(at: number, count: number): void {
    if (count < 1 || count > 4 || at + count >= this.#end) {
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
