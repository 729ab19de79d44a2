import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Status } from "./index.ts";
import { frameMessage, LengthPrefixedDecoder, type RawMessage } from "./message-decoder.ts";

const limit = 1_000;

function decode(chunks: readonly Buffer[]): readonly RawMessage[] {
  const decoder = new LengthPrefixedDecoder(limit);
  return chunks.flatMap((chunk) => decoder.push(chunk));
}

/** `bytes` in pieces that end at these places. */
function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe("a decoder of messages", () => {
  test("gives back what was framed, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.array(fc.nat()), (messages, places) => {
        const whole = Buffer.concat(messages.map(frameMessage));
        const seen = decode(cut(whole, places));
        expect(seen.map(({ bytes }) => [...bytes])).toEqual(messages.map((message) => [...message]));
      }),
    );
  });

  test("gives a message as soon as its last octet has come", () => {
    const decoder = new LengthPrefixedDecoder(limit);
    const framed = frameMessage(Buffer.from("abc"));
    for (const octet of framed.subarray(0, -1)) expect(decoder.push(Buffer.of(octet))).toEqual([]);
    expect(decoder.push(framed.subarray(-1))).toEqual([{ compressed: false, bytes: Buffer.from("abc") }]);
  });

  test("keeps a copy of what completes nothing yet, and not the chunks it came in", () => {
    const decoder = new LengthPrefixedDecoder(limit);
    const text = "x".repeat(limit);
    const framed = frameMessage(Buffer.from(text));
    const chunk = Buffer.alloc(1);
    for (const octet of framed.subarray(0, -1)) {
      chunk[0] = octet;
      expect(decoder.push(chunk)).toEqual([]);
      chunk[0] = 0xff;
    }
    expect(decoder.partial).toBe(true);
    expect(decoder.push(framed.subarray(-1)).map(({ bytes }) => bytes.toString())).toEqual([text]);
    expect(decoder.partial).toBe(false);
  });

  test("refuses a first octet that is neither 0 nor 1", () => {
    const refused = expect.objectContaining({ code: Status.INTERNAL });
    for (let flag = 2; flag < 256; flag++) expect(() => decode([Buffer.of(flag, 0, 0, 0, 0)])).toThrow(refused);
  });

  test("says which messages are compressed", () => {
    const compressed = frameMessage(Buffer.from("a"));
    compressed[0] = 1;
    const seen = decode([Buffer.concat([compressed, frameMessage(Buffer.from("b"))])]);
    expect(seen.map((message) => message.compressed)).toEqual([true, false]);
  });

  test("takes a message of the limit, and refuses a larger one at its prefix", () => {
    expect(decode([frameMessage(Buffer.alloc(limit))])).toHaveLength(1);
    const prefix = frameMessage(Buffer.alloc(limit + 1)).subarray(0, 5);
    const refused = expect.objectContaining({ code: Status.RESOURCE_EXHAUSTED });
    expect(() => decode([prefix])).toThrow(refused);
    expect(() => decode([prefix.subarray(0, 3), prefix.subarray(3)])).toThrow(refused);
  });
});
