import type { Auth } from "./auth.ts";
import { changeFetchHeaders, readFetchRequest } from "./fetch-request.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure, reportRefusal } from "./gateway-events.ts";
import type { NodeRequest } from "./node-request.ts";
import { grpcCodeOf, malformedRequest, type Refusal, unavailable } from "./refusal.ts";
import type { JsonObject } from "./request-authenticator.ts";

/** A key of Connect's context values. */
export type ContextKey<T> = { id: symbol; defaultValue: T };

/** Connect's context values. */
export interface ContextValues {
  get<T>(key: ContextKey<T>): T;
  set<T>(key: ContextKey<T>, value: T): this;
  delete(key: ContextKey<unknown>): this;
}

/** A call as interceptors of Connect have it, as far as it matters here. */
export type ConnectRequest = {
  readonly requestMethod: string;
  readonly url: string;
  readonly header: Headers;
  readonly signal: AbortSignal;
  readonly contextValues: ContextValues;
};

/** What `connectNodeAdapter` and the other adapters of Connect take. */
export type ConnectGateway<Claims = JsonObject> = {
  /** For the option `interceptors`, before any other. */
  readonly interceptor: <Call extends ConnectRequest, Answer>(
    next: (call: Call) => Promise<Answer>,
  ) => (call: Call) => Promise<Answer>;
  /**
   * For the option `contextValues` of `connectNodeAdapter`, where interceptors do not see Node's own request: with it repeated
   * headers are seen apart, and who is at the other end. Values of your own go into what it returns.
   */
  readonly contextValues: (request: NodeRequest) => ContextValues;
  /** For `context.values.get(key)` in a handler; undefined where no interceptor has run. */
  readonly key: ContextKey<Auth<Claims> | undefined>;
};

/**
 * The parts of a gateway for Connect (version 2): calls that are refused end with a ConnectError of code `unauthenticated`,
 * `permission_denied` or `unavailable`.
 *
 * Handlers have `context.values.get(key)`, or `gateway.authOf(context.values)`, which throws where nothing guards. Connect reads a
 * unary request's message before interceptors run; `requestListener` around the adapter refuses earlier.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { connectNodeAdapter } from "@connectrpc/connect-node";
 * import type { Gateway } from "@signet/gateway";
 * import { connectGateway } from "@signet/gateway/connect";
 * declare const gateway: Gateway;
 * const { interceptor, contextValues } = connectGateway(gateway);
 * createServer(connectNodeAdapter({ routes: () => undefined, interceptors: [interceptor], contextValues }));
 * ```
 */
export function connectGateway<Claims>(gateway: Gateway<Claims>): ConnectGateway<Claims> {
  const key: ContextKey<Auth<Claims> | undefined> = { id: Symbol("signet auth"), defaultValue: undefined };
  return {
    key,
    contextValues: (request) => createContextValues().set(incomingKey, request),
    interceptor: (next) => async (call) => {
      const auth = await admitCall(gateway, call);
      call.contextValues.set(key, auth);
      gateway.keep(call.contextValues, auth);
      return await next(call);
    },
  };
}

const incomingKey: ContextKey<NodeRequest | undefined> = { id: Symbol("signet incoming"), defaultValue: undefined };

/** Who a call is from; throws what Connect answers when it must not go on. */
async function admitCall<Claims>(gateway: Gateway<Claims>, call: ConnectRequest): Promise<Auth<Claims>> {
  const { requestMethod: method, url, header: headers, signal, contextValues } = call;
  const { events, trustedHops } = gateway;
  const incoming = contextValues.get(incomingKey);
  const seen = readFetchRequest({ method, url, headers }, { trustedHops, incoming });
  if (seen === undefined) {
    reportRefusal(events, malformedRequest);
    throw refusalError(malformedRequest);
  }
  const admission = await gateway.admit({ ...seen, routed: true }, signal).catch((error: unknown) => {
    if (signal.aborted) throw connectError(canceled, "the client has gone", new Headers());
    reportFailure(events, { what: "authenticator", error });
    throw refusalError(unavailable);
  });
  if (admission.kind === "refused") throw refusalError(admission.refusal);
  changeFetchHeaders(headers, admission.upstream);
  return admission.auth;
}

const canceled = 1;

function refusalError(refusal: Refusal): Error {
  const metadata = new Headers(refusal.headers.map(([name, value]) => [name, value]));
  return connectError(grpcCodeOf(refusal), refusal.body, metadata);
}

/** An error that Connect takes for one of its own: `ConnectError` knows its instances by these members. */
function connectError(code: number, rawMessage: string, metadata: Headers): Error {
  const members = { name: "ConnectError", code, rawMessage, metadata, details: [], cause: undefined };
  return Object.assign(new Error(rawMessage), members);
}

function createContextValues(): ContextValues {
  const values = new Map<symbol, unknown>();
  return {
    // The key that a value was set by says what it is.
    get: <T>(key: ContextKey<T>) => (values.has(key.id) ? (values.get(key.id) as T) : key.defaultValue),
    set(key, value) {
      values.set(key.id, value);
      return this;
    },
    delete(key) {
      values.delete(key.id);
      return this;
    },
  };
}
