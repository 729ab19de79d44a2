import type { Auth } from "./auth.ts";
import { changeFetchRequest, readFetchRequest } from "./fetch-request.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure, reportRefusal } from "./gateway-events.ts";
import { type GatewayRequest, type HeaderChanges, type HeaderList, withHost } from "./gateway-request.ts";
import type { NodeRequest } from "./node-request.ts";
import { malformedRequest, type Refusal, refusalHeaders, unavailable } from "./refusal.ts";

/** What a handler is told beside the request. */
export type FetchContext<Claims> = { readonly auth: Auth<Claims> };

/** What a server knows beside the request; `@hono/node-server` passes this. */
export type FetchBindings = { readonly incoming?: NodeRequest };

/**
 * A handler for servers of the Fetch API that calls `handler` for requests that are let through, and answers all others.
 *
 * The handler gets a request with the headers and the URL that it is meant to see; what it throws is passed on. A server that
 * has Node's own request should pass it as `bindings.incoming`: Fetch joins repeated headers with a comma, and a policy
 * cannot tell one value with a comma from two; nor does Fetch know who is at the other end.
 * @example
 * ```ts
 * import type { Gateway } from "@signet/gateway";
 * import { fetchHandler } from "@signet/gateway/fetch";
 * declare const gateway: Gateway<{ readonly tenant: string }>;
 * const serve = fetchHandler(gateway, (_request, { auth }) =>
 *   Response.json({ tenant: auth.kind === "authenticated" ? auth.claims.tenant : null }),
 * );
 * await serve(new Request("https://shop.example/cart"));
 * ```
 */
export function fetchHandler<Claims>(
  gateway: Gateway<Claims>,
  handler: (request: Request, context: FetchContext<Claims>) => Response | Promise<Response>,
): (request: Request, bindings?: FetchBindings) => Promise<Response> {
  return async (request, { incoming } = {}) => {
    const admission = await admitFetchRequest(gateway, { request, incoming });
    if (admission.kind === "refused") return refusalResponse(request, admission.refusal);
    const passed = changeFetchRequest(request, admission.upstream);
    gateway.keep(passed, admission.auth);
    return withHeaders(await handler(passed, { auth: admission.auth }), admission.downstream);
  };
}

/** What becomes of a request of the Fetch API. */
export type FetchAdmission<Claims> =
  | {
      readonly kind: "admitted";
      readonly auth: Auth<Claims>;
      readonly upstream: HeaderChanges;
      readonly downstream: HeaderList;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal };

type FetchArrival = {
  readonly request: Request;
  readonly incoming?: NodeRequest | undefined;
  /** As in `GatewayRequest`. */
  readonly routed?: true;
};

/** Asks a gateway about a request of the Fetch API. Never rejects; a client that has gone is refused. */
export async function admitFetchRequest<Claims>(
  gateway: Gateway<Claims>,
  { request, incoming, routed }: FetchArrival,
): Promise<FetchAdmission<Claims>> {
  const { events, trustedHops } = gateway;
  const read = readFetchRequest(request, { trustedHops, incoming });
  if (read === undefined) {
    reportRefusal(events, malformedRequest);
    return { kind: "refused", refusal: malformedRequest };
  }
  const seen: GatewayRequest = routed ? { ...read, routed } : read;
  try {
    const admission = await gateway.admit(seen, request.signal);
    return admission.kind === "admitted" ? { ...admission, upstream: withHost(seen, admission.upstream) } : admission;
  } catch (error) {
    if (!request.signal.aborted) reportFailure(events, { what: "authenticator", error });
    return { kind: "refused", refusal: unavailable };
  }
}

/** The answer that a refusal is; without a body for HEAD. */
export function refusalResponse({ method }: { readonly method: string }, refusal: Refusal): Response {
  const headers = new Headers(refusalHeaders(refusal).map(([name, value]) => [name, value]));
  return new Response(method === "HEAD" ? null : refusal.body, { status: refusal.status, headers });
}

/** An answer with more headers; the same object where there are none. */
function withHeaders(response: Response, headers: HeaderList): Response {
  if (headers.length === 0) return response;
  // Headers of an answer that was fetched cannot be changed.
  const changed = new Response(response.body, response);
  for (const [name, value] of headers) changed.headers.append(name, value);
  return changed;
}
