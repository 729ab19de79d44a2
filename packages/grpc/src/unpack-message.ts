import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { Status, StatusError } from "./status.ts";

const unpackers = new Map([
  ["gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
]);

/** What `grpc-accept-encoding` tells clients. */
export const acceptedEncodings: string = ["identity", ...unpackers.keys()].join(",");

/**
 * A compressed message unpacked by the call's `encoding`; rejects with StatusError RESOURCE_EXHAUSTED as soon as it exceeds
 * `maxBytes`, INTERNAL if it cannot be unpacked or the call has no encoding, UNIMPLEMENTED for one that is not known here.
 */
export async function unpackMessage(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  if (encoding === "identity") {
    // What gRPC's document on compression asks for: one side of the call is mistaken about the other.
    throw new StatusError(Status.INTERNAL, "a message says it is compressed, and the call names no compression");
  }
  const unpack = unpackers.get(encoding);
  if (unpack === undefined) {
    throw new StatusError(Status.UNIMPLEMENTED, `messages compressed with ${quote(encoding)} are not supported`);
  }
  try {
    // zlib refuses a limit of nothing.
    return await unpack(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") {
      throw new StatusError(Status.RESOURCE_EXHAUSTED, `a message exceeds ${maxBytes} bytes once unpacked`, { cause });
    }
    throw new StatusError(Status.INTERNAL, `a message cannot be unpacked with ${encoding}`, { cause });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
