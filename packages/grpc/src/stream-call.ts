import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { StreamHandler } from "./call-context.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { ServerCall } from "./server-call.ts";
import { Status, StatusError } from "./status.ts";

/** What a streaming method has. */
type Handler = StreamHandler<Message, MessageInitShape<DescMessage>>;

/** Has `handler` answer the requests of `call`, each read when the handler asks for it. */
export function runStreamCall(call: ServerCall, handler: Handler): void {
  const requests = createInbox<Message>(() => call.wire.read());
  const sender = createSender(call);
  call.end = {
    aborted: (reason) => requests.fail(reason),
    unsendable: (reason) => sender.fail(reason),
    finished: () => requests.end(),
  };
  const listener = {
    onBytes: (count: number) => call.watch.count(count),
    onMessage(bytes: Uint8Array) {
      call.watch.taken();
      try {
        requests.push(call.parse(bytes));
      } catch (error) {
        requests.fail(error);
      }
    },
    onHalfClose() {
      call.watch.close();
      setImmediate(endRequests, call, requests);
    },
    onBroken: (reason: StatusError) => call.cut(reason),
    onOver: () => call.close(),
  };
  call.wire.start(listener, 0);
  answer(call, handler, { requests, sender }).then(
    () => call.finish({ code: Status.OK, details: "", metadata: null }),
    (error: unknown) => call.fail(error),
  );
}

type Ends = { readonly requests: Inbox<Message>; readonly sender: Sender };

async function answer(call: ServerCall, handler: Handler, { requests, sender }: Ends): Promise<void> {
  call.checkHeaders();
  for await (const response of handler(requests, call.context)) {
    await sender.send(call.method.serialize(response));
  }
}

/** Sends one message at a time. */
interface Sender {
  /** Resolves when HTTP/2 took the message, which it does as fast as the client reads; rejects when the call is over. */
  send(bytes: Uint8Array): Promise<void>;
  /** Fails the send that is under way. */
  fail(reason: unknown): void;
}

function createSender(call: ServerCall): Sender {
  let failSend: ((reason: unknown) => void) | undefined;
  return {
    send: (bytes) =>
      new Promise((resolve, reject) => {
        // Nobody would call back for a message that is dropped.
        if (call.ended) return reject(call.signal.reason);
        failSend = reject;
        call.wire.sendMessage(bytes, resolve);
        call.host.pingLimit.forgive(call.wire.stream);
        call.host.onMessage(call.method.sent);
      }),
    fail: (reason) => failSend?.(reason),
  };
}

/**
 * Ends the requests of a stream, unless its client has cancelled. Node ends the readable side of an aborted stream as if the
 * client had finished, and a client in Node that cancels does finish a moment before: what comes with the same packet counts.
 */
function endRequests(call: ServerCall, requests: Inbox<Message>): void {
  if (call.wire.stream.aborted) return;
  if (call.wire.inMessage) requests.fail(new StatusError(Status.INTERNAL, "the client ended the call amid a message"));
  else requests.end();
}
