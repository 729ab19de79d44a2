import type { Auth } from "./auth.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure, reportRefusal } from "./gateway-events.ts";
import type { GatewayRequest, HeaderChanges } from "./gateway-request.ts";
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
    }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The client has gone: nobody waits for an answer. */
  | { readonly kind: "gone" };

/** Asks a gateway about a request of Node. Never rejects; `target` stands in for a `url` that a framework has shortened. */
export async function admitNodeRequest<Claims>(
  gateway: Gateway<Claims>,
  {
    request,
    response,
    target,
  }: { readonly request: NodeRequest; readonly response: Waiting; readonly target?: string },
): Promise<NodeAdmission<Claims>> {
  const { events, trustedHops } = gateway;
  const seen = readNodeRequest(request, { trustedHops, ...(target === undefined ? {} : { target }) });
  if (seen === undefined) {
    reportRefusal(events, malformedRequest);
    return { kind: "refused", refusal: malformedRequest };
  }
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
