import { Status, StatusError } from "./status.ts";

/** A message as it came. */
export type RawMessage = { readonly compressed: boolean; readonly bytes: Buffer };

/** Takes the messages of one call out of the bytes that come. */
export interface MessageDecoder {
  /** Whether something has come that completes no message yet. */
  readonly partial: boolean;
  /**
   * The messages that `chunk` completes; they share its memory.
   * @throws StatusError RESOURCE_EXHAUSTED at the prefix of a message over the limit, before the rest of it has come; INTERNAL
   *   at a prefix that says neither yes nor no to compression
   */
  push(chunk: Buffer): readonly RawMessage[];
}

const none: readonly RawMessage[] = [];
const nothing = Buffer.alloc(0);
const prefixBytes = 5;

/**
 * Reads gRPC's frames: one octet that is 1 if the message is compressed, its length in four octets, the message.
 *
 * What is incomplete is copied into one buffer that doubles as it fills: a client that announces much and sends little takes
 * little, and one that sends single octets does not have each of them kept as an object of its own.
 */
export class LengthPrefixedDecoder implements MessageDecoder {
  readonly #maxBytes: number;
  /** What has come and completes nothing yet, in its first `#length` octets. */
  #held: Buffer = nothing;
  #length = 0;
  /** Nothing can be made of less than this. */
  #wanted = prefixBytes;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get partial(): boolean {
    return this.#length > 0;
  }

  push(chunk: Buffer): readonly RawMessage[] {
    if (this.#length === 0) return this.#take(chunk);
    this.#hold(chunk);
    if (this.#length < this.#wanted) return none;
    const bytes = this.#held.subarray(0, this.#length);
    this.#held = nothing;
    this.#length = 0;
    return this.#take(bytes);
  }

  #take(bytes: Buffer): readonly RawMessage[] {
    const messages: RawMessage[] = [];
    let at = 0;
    this.#wanted = prefixBytes;
    while (bytes.length - at >= prefixBytes) {
      const compressed = compressionAt(bytes, at);
      const end = at + prefixBytes + this.#lengthAt(bytes, at + 1);
      if (end > bytes.length) {
        this.#wanted = end - at;
        break;
      }
      messages.push({ compressed, bytes: bytes.subarray(at + prefixBytes, end) });
      at = end;
    }
    if (at < bytes.length) this.#hold(bytes.subarray(at));
    return messages;
  }

  #hold(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#held.length) {
      // Of its own, since a piece of Node's pool would keep all of that.
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.#wanted, length * 2)));
      this.#held.copy(grown, 0, 0, this.#length);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#length);
    this.#length = length;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at);
    if (length <= this.#maxBytes) return length;
    throw new StatusError(Status.RESOURCE_EXHAUSTED, `a message of ${length} bytes exceeds ${this.#maxBytes}`);
  }
}

function compressionAt(bytes: Buffer, at: number): boolean {
  const flag = bytes[at];
  if (flag === 0 || flag === 1) return flag === 1;
  throw new StatusError(Status.INTERNAL, `a message begins with ${flag}, which says nothing of compression`);
}

/** `message` as it is sent, never compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}
