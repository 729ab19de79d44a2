import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { WireStatus } from "./call-outcome.ts";
import { parseTimeoutMs } from "./grpc-timeout.ts";
import { frameMessage, LengthPrefixedDecoder, type RawMessage } from "./message-decoder.ts";
import { Status, StatusError } from "./status.ts";
import { acceptedEncodings, unpackMessage } from "./unpack-message.ts";

/** Whoever is told what comes by a call. */
export interface WireListener {
  /** So many bytes of messages have come, complete or not. */
  onBytes(count: number): void;
  /** One message of those that were asked for. */
  onMessage(bytes: Uint8Array): void;
  /** Something was asked for, and the client has sent all there is. */
  onHalfClose(): void;
  /** What the client sends cannot be read, or what was sent cannot be written: the call should end with `reason`. */
  onBroken(reason: StatusError): void;
  /** The client was told how the call ended, or is gone: nothing can be sent any more. */
  onOver(): void;
}

const contentType = "application/grpc+proto";
const responseHeaders: readonly string[] = [
  ...[":status", "200", "content-type", contentType],
  ...["grpc-accept-encoding", acceptedEncodings, "grpc-encoding", "identity"],
];
// gRPC has no use for the date that HTTP would send.
const responseOptions = { waitForTrailers: true, sendDate: false };
const onlyHeaders = { endStream: true, sendDate: false };
const okTrailers = { "grpc-status": "0" };

/**
 * One call as gRPC's protocol over HTTP/2 has it: frames, compression, headers, trailers. It knows nothing of what messages
 * say. Whatever is sent after the call was over, or after its status, is dropped.
 */
export class WireCall {
  readonly stream: ServerHttp2Stream;
  /** When the client gives up, in milliseconds since 1970; Infinity if it does not say, NaN if what it says is no time. */
  readonly deadlineAt: number;
  readonly #maxReceiveBytes: number;
  readonly #encoding: string;
  readonly #decoder: LengthPrefixedDecoder;
  /** What has come and was not asked for yet. */
  readonly #messages: RawMessage[] = [];
  #listener: WireListener | undefined;
  /** So many messages are asked for. */
  #wanted = 0;
  #unpacking = false;
  #halfClosed = false;
  /** It is decided how the call ends. */
  #ending = false;
  #told: Status | undefined;
  #over = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, maxReceiveBytes: number) {
    this.stream = stream;
    this.#maxReceiveBytes = maxReceiveBytes;
    this.#decoder = new LengthPrefixedDecoder(maxReceiveBytes);
    this.#encoding = oneOf(headers["grpc-encoding"]) ?? "identity";
    const timeout = oneOf(headers["grpc-timeout"]);
    this.deadlineAt = timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + parseTimeoutMs(timeout);
  }

  /** Whether the client has sent the beginning of a message, and not yet the rest. */
  get inMessage(): boolean {
    return this.#decoder.partial;
  }

  /** What the client was told of how the call ended. */
  get told(): Status | undefined {
    return this.#told;
  }

  /** Tells `listener` from now on of what comes, and asks for `count` messages, where their end counts as one. */
  start(listener: WireListener, count: number): void {
    if (this.#isGone()) return;
    this.#listener = listener;
    this.#wanted = count;
    const { stream } = this;
    stream.on("close", () => this.#end());
    stream.on("end", () => {
      this.#halfClosed = true;
      this.#deliver();
    });
    // A stream that is not paused is set going by its first data listener.
    if (count === 0) stream.pause();
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
  }

  /** Asks for one more message, or for the end of them. */
  read(): void {
    if (this.#isGone()) return;
    this.#wanted += 1;
    if (this.#messages.length > 0 || this.#halfClosed) this.#deliver();
    else this.stream.resume();
  }

  /** Sends a message; `sent` is called when HTTP/2 took it, which it does as fast as the client reads. */
  sendMessage(message: Uint8Array, sent: () => void): void {
    if (this.#isGone()) return;
    this.#respond();
    this.stream.write(frameMessage(message), (error) => {
      if (error == null) sent();
      else this.#break(new StatusError(Status.INTERNAL, "the message could not be written"));
    });
  }

  /** Sends the last message and the status behind it, in as few writes as can be. */
  sendLast(message: Uint8Array, status: WireStatus): void {
    if (this.#isGone()) return;
    this.#respond();
    this.#endWith(status, frameMessage(message));
  }

  /** Ends the call without telling the client anything. */
  reset(): void {
    if (!this.stream.closed) this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Ends the call; the first status counts. */
  sendStatus(status: WireStatus): void {
    if (this.#isGone()) return;
    if (this.stream.headersSent) {
      this.#endWith(status);
      return;
    }
    this.#ending = true;
    this.#tell(status, (trailers) => {
      this.stream.respond({ ...trailers, ":status": 200, "content-type": contentType }, onlyHeaders);
    });
  }

  #isGone(): boolean {
    return this.#over || this.#ending || this.stream.destroyed || this.stream.closed;
  }

  #respond(): void {
    if (!this.stream.headersSent) this.stream.respond(responseHeaders, responseOptions);
  }

  #endWith(status: WireStatus, lastFrame?: Buffer): void {
    this.#ending = true;
    this.stream.once("wantTrailers", () => this.#tell(status, (trailers) => this.stream.sendTrailers(trailers)));
    this.stream.end(lastFrame);
  }

  #tell(status: WireStatus, send: (trailers: OutgoingHttpHeaders) => void): void {
    try {
      send(trailersOf(status));
    } catch {
      // Metadata that HTTP/2 refuses after all, such as two values of a name that has one, must not end the process.
      this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return;
    }
    this.#told = status.code;
    this.#end();
  }

  #receive(chunk: Buffer): void {
    if (this.#isGone()) return;
    this.#listener?.onBytes(chunk.length);
    if (this.#isGone()) return;
    const messages = this.#decode(chunk);
    if (messages.length === 0) return;
    this.#messages.push(...messages);
    this.#deliver();
    if (this.#messages.length >= this.#wanted) this.stream.pause();
  }

  #decode(chunk: Buffer): readonly RawMessage[] {
    try {
      return this.#decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#break(error);
      return [];
    }
  }

  #deliver(): void {
    while (this.#wanted > 0 && !this.#unpacking && !this.#isGone()) {
      const message = this.#messages.shift();
      if (message === undefined) break;
      if (message.compressed) {
        this.#unpack(message.bytes);
      } else {
        this.#wanted -= 1;
        this.#listener?.onMessage(message.bytes);
      }
    }
    const all = this.#halfClosed && !this.#unpacking && this.#messages.length === 0;
    if (!all || this.#wanted === 0 || this.#isGone()) return;
    this.#wanted = 0;
    this.#listener?.onHalfClose();
  }

  #unpack(bytes: Buffer): void {
    this.#unpacking = true;
    unpackMessage(bytes, this.#encoding, this.#maxReceiveBytes).then(
      (message) => {
        this.#unpacking = false;
        if (this.#isGone()) return;
        // Few bytes on the wire can be many here.
        this.#listener?.onBytes(message.length);
        if (this.#isGone()) return;
        this.#wanted -= 1;
        this.#listener?.onMessage(message);
        this.#deliver();
      },
      (error: StatusError) => this.#break(error),
    );
  }

  #break(reason: StatusError): void {
    if (!this.#isGone()) this.#listener?.onBroken(reason);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    // What the client still sends is read and dropped, so that its half of the stream can end.
    if (!this.#halfClosed) this.stream.resume();
    this.#listener?.onOver();
  }
}

/** Node joins a header that is repeated, but its types allow a list. */
function oneOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/** The status and its metadata; the former win over names of the latter. */
function trailersOf({ code, details, metadata }: WireStatus): OutgoingHttpHeaders {
  if (code === Status.OK && metadata === null) return okTrailers;
  return { ...metadata?.toHttp2Headers(), "grpc-status": String(code), "grpc-message": encodeURI(details) };
}
