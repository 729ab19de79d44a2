import type { Auth } from "./auth.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure, reportRefusal } from "./gateway-events.ts";
import type { GatewayRequest, HeaderChanges, HeaderList } from "./gateway-request.ts";
import { type NodeRequest, readNodeRequest } from "./node-request.ts";
import { type Waiting, whileClientWaits } from "./node-response.ts";
import { malformedRequest, type Refusal, unavailable } from "./refusal.ts";

/** What becomes of a request of Node. */
export type NodeAdmission<Claims> =
  | {
      readonly kind: "admitted";
      readonly auth: Auth<Claims>;
      readonly seen: GatewayRequest;
      readonly upstream: HeaderChanges;
      readonly downstream: HeaderList;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The client has gone: nobody waits for an answer. */
  | { readonly kind: "gone" };

/** A request and what its answer goes out on. */
type NodeArrival = {
  readonly request: NodeRequest;
  readonly response: Waiting;
  /** Stands in for a `url` that a framework has shortened. */
  readonly target?: string;
  /** As in `GatewayRequest`. */
  readonly routed?: boolean;
};

/** Asks a gateway about a request of Node. Never rejects. */
export async function admitNodeRequest<Claims>(
  gateway: Gateway<Claims>,
  incoming: NodeArrival,
): Promise<NodeAdmission<Claims>> {
  const { events, trustedHops } = gateway;
  const { request, response, target, routed = false } = incoming;
  const read = readNodeRequest(request, { trustedHops, ...(target === undefined ? {} : { target }) });
  if (read === undefined) {
    reportRefusal(events, malformedRequest);
    return { kind: "refused", refusal: malformedRequest };
  }
  const seen: GatewayRequest = routed ? { ...read, routed } : read;
  return await whileClientWaits(response, async (signal) => {
    try {
      const admission = await gateway.admit(seen, signal);
      return admission.kind === "admitted" ? { ...admission, seen } : admission;
    } catch (error) {
      if (signal.aborted) return { kind: "gone" };
      reportFailure(events, { what: "authenticator", error });
      return { kind: "refused", refusal: unavailable };
    }
  });
}
