import { Status, StatusError } from "./status.ts";

/** A message as it came. */
export type RawMessage = { readonly compressed: boolean; readonly bytes: Buffer };

/** Takes the messages of one call out of the bytes that come. */
export interface MessageDecoder {
  /**
   * The messages that `chunk` completes; they share its memory.
   * @throws StatusError RESOURCE_EXHAUSTED at the prefix of a message over the limit, before the rest of it has come
   */
  push(chunk: Buffer): readonly RawMessage[];
}

const none: readonly RawMessage[] = [];
const prefixBytes = 5;

/**
 * Reads gRPC's frames: one octet that is 1 if the message is compressed, its length in four octets, the message. Chunks are
 * put together at most twice for each message, however many they are.
 */
export class LengthPrefixedDecoder implements MessageDecoder {
  readonly #maxBytes: number;
  /** What has come and completes nothing yet. */
  #chunks: Buffer[] = [];
  #held = 0;
  /** Nothing can be made of less than this. */
  #wanted = prefixBytes;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): readonly RawMessage[] {
    let bytes = chunk;
    if (this.#held > 0) {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      if (this.#held < this.#wanted) return none;
      bytes = Buffer.concat(this.#chunks);
    }
    return this.#take(bytes);
  }

  #take(bytes: Buffer): readonly RawMessage[] {
    const messages: RawMessage[] = [];
    let at = 0;
    this.#wanted = prefixBytes;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + this.#lengthAt(bytes, at + 1);
      if (end > bytes.length) {
        this.#wanted = end - at;
        break;
      }
      messages.push({ compressed: bytes[at] === 1, bytes: bytes.subarray(at + prefixBytes, end) });
      at = end;
    }
    this.#held = bytes.length - at;
    this.#chunks = this.#held === 0 ? [] : [bytes.subarray(at)];
    return messages;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at);
    if (length <= this.#maxBytes) return length;
    throw new StatusError(Status.RESOURCE_EXHAUSTED, `a message of ${length} bytes exceeds ${this.#maxBytes}`);
  }
}

/** `message` as it is sent, never compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}
