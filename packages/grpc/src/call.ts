import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Channel as GrpcChannel, StatusObject } from "@grpc/grpc-js";
import { createInbox } from "./inbox.ts";
import { grpcMetadata, type MetadataInit, receivedMetadata } from "./metadata.ts";
import { OutgoingCallError, parseStatus, Status, type StatusError } from "./status.ts";

/** What accompanies a unary call. */
export type UnaryCallOptions = {
  readonly metadata?: MetadataInit;
  /** How long the call may take, connecting included. */
  readonly deadlineMs: number;
  /** Cancels the call, which then fails with CANCELLED. */
  readonly signal: AbortSignal;
};

/** What accompanies a streaming call; it has no deadline, only its signal. */
export type StreamCallOptions = { readonly metadata?: MetadataInit; readonly signal: AbortSignal };

type Target<M> = { readonly channel: GrpcChannel; readonly method: M };

type Wire = ReturnType<GrpcChannel["createCall"]>;

/** Calls a unary method; see `Channel.unary`. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  { channel, method }: Target<DescMethodUnary<I, O>>,
  request: MessageInitShape<I>,
  options: UnaryCallOptions,
): Promise<MessageShape<O>> {
  const bytes = serializeRequest(method.input, request);
  const metadata = sendableMetadata(options.metadata);
  if (options.signal.aborted) throw cancelled(options.signal);
  const wire = createCall(channel, pathOf(method), Date.now() + options.deadlineMs);
  const responses: Uint8Array[] = [];
  const ended = Promise.withResolvers<StatusObject>();
  const onAbort = (): void => wire.cancelWithStatus(Status.CANCELLED, "cancelled by the caller");
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    wire.start(metadata, {
      onReceiveMetadata() {},
      onReceiveMessage(message: Uint8Array) {
        responses.push(message);
        wire.startRead();
      },
      onReceiveStatus: ended.resolve,
    });
    wire.startRead();
    wire.sendMessageWithContext({}, bytes);
    wire.halfClose();
    const failure = failureOf(await ended.promise, options.signal);
    if (failure !== undefined) throw failure;
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
  const [response] = responses;
  if (response === undefined || responses.length > 1) {
    throw new OutgoingCallError(Status.UNIMPLEMENTED, `a unary call got ${responses.length} responses`);
  }
  return parseResponse(method.output, response);
}

/** Calls a streaming method; see `Channel.stream`. */
export async function* callStream<I extends DescMessage, O extends DescMessage>(
  { channel, method }: Target<DescMethodStreaming<I, O>>,
  requests: AsyncIterable<MessageInitShape<I>>,
  options: StreamCallOptions,
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const metadata = sendableMetadata(options.metadata);
  if (options.signal.aborted) throw cancelled(options.signal);
  const wire = createCall(channel, pathOf(method), Number.POSITIVE_INFINITY);
  const inbox = createInbox<Uint8Array>(() => wire.startRead());
  const over = new AbortController();
  const cancel = (details: string): void => {
    if (over.signal.aborted) return;
    over.abort();
    wire.cancelWithStatus(Status.CANCELLED, details);
  };
  const onAbort = (): void => cancel("cancelled by the caller");
  options.signal.addEventListener("abort", onAbort, { once: true });
  wire.start(metadata, {
    onReceiveMetadata() {},
    onReceiveMessage: (message: Uint8Array) => inbox.push(message),
    onReceiveStatus(status) {
      over.abort();
      const failure = failureOf(status, options.signal);
      if (failure === undefined) inbox.end();
      else inbox.fail(failure);
    },
  });
  sendAll({ wire, method }, requests, over.signal).catch((cause: unknown) => {
    const ended = new OutgoingCallError(Status.CANCELLED, "the requests ended in an error", { cause });
    inbox.fail(cause instanceof OutgoingCallError ? cause : ended);
    cancel(ended.message);
  });
  try {
    for await (const bytes of inbox) yield parseResponse(method.output, bytes);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    cancel("the caller has left");
  }
}

type Outgoing<I extends DescMessage> = { readonly wire: Wire; readonly method: DescMethodStreaming<I, DescMessage> };

/** Sends `requests` one after the other and then the end of them, until `over` aborts. */
async function sendAll<I extends DescMessage>(
  { wire, method }: Outgoing<I>,
  requests: AsyncIterable<MessageInitShape<I>>,
  over: AbortSignal,
): Promise<void> {
  const iterator = requests[Symbol.asyncIterator]();
  while (!over.aborted) {
    const next = await unlessAborted(iterator.next(), over);
    if (over.aborted || next === undefined) break;
    if (next.done === true) return wire.halfClose();
    const bytes = serializeRequest(method.input, next.value);
    const sent = new Promise<void>((callback) => wire.sendMessageWithContext({ callback: () => callback() }, bytes));
    await unlessAborted(sent, over);
  }
  // Not awaited: a generator that waits for something of its own takes its return only then.
  iterator.return?.()?.catch(() => {});
}

/** What `work` comes to, or undefined on abort; leaves no listener behind on a signal that lives longer. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    const settle = (finish: () => void): void => {
      signal.removeEventListener("abort", stop);
      finish();
    };
    signal.addEventListener("abort", stop, { once: true });
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}

function createCall(channel: GrpcChannel, path: string, deadline: number): Wire {
  try {
    return channel.createCall(path, deadline, null, null, null);
  } catch (cause) {
    throw new OutgoingCallError(Status.UNAVAILABLE, "the channel is closed", { cause });
  }
}

function pathOf(method: { readonly name: string; readonly parent: { readonly typeName: string } }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function sendableMetadata(init: MetadataInit | undefined): ReturnType<typeof grpcMetadata> {
  try {
    return grpcMetadata(init ?? {});
  } catch {
    // The reason of grpc-js quotes the value, and the value may be a token.
    const names = Object.keys(init ?? {}).join(", ");
    throw new OutgoingCallError(Status.INTERNAL, `metadata ${names} cannot be sent`);
  }
}

function failureOf(status: StatusObject, signal: AbortSignal): StatusError | undefined {
  const code = parseStatus(status.code);
  if (code === Status.OK) return undefined;
  if (code === Status.CANCELLED && signal.aborted) return cancelled(signal);
  return new OutgoingCallError(code, status.details, { metadata: receivedMetadata(status.metadata) });
}

function cancelled(signal: AbortSignal): StatusError {
  return new OutgoingCallError(Status.CANCELLED, "cancelled by the caller", { cause: signal.reason });
}

function serializeRequest<I extends DescMessage>(schema: I, request: MessageInitShape<I>): Buffer {
  try {
    return Buffer.from(toBinary(schema, create(schema, request)));
  } catch (cause) {
    throw new OutgoingCallError(Status.INTERNAL, `the request is not a valid ${schema.typeName}`, { cause });
  }
}

function parseResponse<O extends DescMessage>(schema: O, bytes: Uint8Array): MessageShape<O> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new OutgoingCallError(Status.INTERNAL, `the response is not a valid ${schema.typeName}`, { cause });
  }
}
