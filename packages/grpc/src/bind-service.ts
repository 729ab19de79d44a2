import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { StreamHandler, UnaryHandler } from "./call-context.ts";
import type { CalledMethod, CallMessageEvent, CallType } from "./call-observer.ts";
import { Status, StatusError } from "./status.ts";

type HandlerOf<M extends Pick<DescMethod, "input" | "output" | "methodKind">> = M["methodKind"] extends "unary"
  ? UnaryHandler<MessageShape<M["input"]>, MessageInitShape<M["output"]>>
  : StreamHandler<MessageShape<M["input"]>, MessageInitShape<M["output"]>>;

/** The handlers of a service by the local names of its methods; what is left out answers UNIMPLEMENTED. */
export type ServiceHandlers<M extends GenServiceMethods> = { readonly [K in keyof M]?: HandlerOf<M[K]> };

/** A method with its handler; requests and responses are messages, `parse` and `serialize` make and take the bytes. */
export type BoundMethod = {
  /** Full name of the service, such as `istio.v1.auth.IstioCertificateService`. */
  readonly service: string;
  readonly method: string;
  readonly type: CallType;
  /** What events say of it, made once. */
  readonly called: CalledMethod;
  readonly received: CallMessageEvent;
  readonly sent: CallMessageEvent;
  /** Throws a StatusError when the bytes are no such message. */
  readonly parse: (bytes: Uint8Array) => Message;
  readonly serialize: (response: MessageInitShape<DescMessage>) => Uint8Array;
} & (
  | { readonly kind: "unary"; readonly handler: UnaryHandler<Message, MessageInitShape<DescMessage>> }
  | { readonly kind: "stream"; readonly handler: StreamHandler<Message, MessageInitShape<DescMessage>> }
);

/** A service descriptor together with its handlers, ready to be served. */
export interface ServiceBinding {
  readonly service: DescService;
  readonly methods: readonly BoundMethod[];
}

/**
 * `service` bound to `handlers`: plain functions, which a test can call without a server.
 *
 * Methods without a handler answer UNIMPLEMENTED. A request that is no valid protobuf answers INTERNAL.
 * @example
 * ```ts
 * import { bindService, Status, StatusError } from "@signet/grpc";
 * import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
 * bindService(IstioCertificateService, {
 *   async createCertificate(request) {
 *     if (request.csr === "") throw new StatusError(Status.INVALID_ARGUMENT, "the CSR is missing");
 *     return { certChain: [] };
 *   },
 * });
 * ```
 */
export function bindService<M extends GenServiceMethods>(
  service: GenService<M>,
  handlers: ServiceHandlers<M>,
): ServiceBinding {
  const byName: Readonly<Record<string, unknown>> = handlers;
  const methods = service.methods.map((method) => bindMethod(method, byName[method.localName]));
  return { service: service as DescService, methods };
}

const callTypes: Readonly<Record<DescMethod["methodKind"], CallType>> = {
  unary: "unary",
  client_streaming: "client_stream",
  server_streaming: "server_stream",
  bidi_streaming: "bidi_stream",
};

function bindMethod(method: DescMethod, handler: unknown): BoundMethod {
  const called = { service: method.parent.typeName, method: method.name, type: callTypes[method.methodKind] };
  const common = {
    ...called,
    called: Object.freeze(called),
    received: Object.freeze({ ...called, direction: "received" as const }),
    sent: Object.freeze({ ...called, direction: "sent" as const }),
    parse: (bytes: Uint8Array): Message => parseMessage(method.input, bytes),
    serialize: (response: MessageInitShape<DescMessage>): Uint8Array =>
      toBinary(method.output, create(method.output, response)),
  };
  return method.methodKind === "unary"
    ? { ...common, kind: "unary", handler: (handler ?? unimplementedUnary) as UnaryHandler<Message, Message> }
    : { ...common, kind: "stream", handler: (handler ?? unimplementedStream) as StreamHandler<Message, Message> };
}

/** The status codes document of gRPC gives INTERNAL to a request that does not parse. */
function parseMessage(schema: DescMessage, bytes: Uint8Array): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new StatusError(Status.INTERNAL, `the request is not a valid ${schema.typeName}`, { cause });
  }
}

async function unimplementedUnary(): Promise<never> {
  throw unimplemented();
}

// biome-ignore lint/correctness/useYield: a stream that fails at once has nothing to yield
async function* unimplementedStream(): AsyncGenerator<never, void, undefined> {
  throw unimplemented();
}

function unimplemented(): StatusError {
  return new StatusError(Status.UNIMPLEMENTED, "the method is not implemented");
}

/**
 * The one request of a server-streaming call; StatusError INVALID_ARGUMENT if there is none.
 * @example
 * ```ts
 * import { bindService, onlyRequest } from "@signet/grpc";
 * import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
 * bindService(Health, {
 *   async *watch(requests) {
 *     const { service } = await onlyRequest(requests);
 *     yield { status: service === "" ? Serving.SERVING : Serving.SERVICE_UNKNOWN };
 *   },
 * });
 * ```
 */
export async function onlyRequest<T>(requests: AsyncIterable<T>): Promise<T> {
  for await (const request of requests) return request;
  throw new StatusError(Status.INVALID_ARGUMENT, "the call ended without a request");
}
