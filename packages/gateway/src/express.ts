import { admitNodeRequest } from "./admit-node-request.ts";
import type { Auth } from "./auth.ts";
import type { Gateway } from "./gateway.ts";
import { changeNodeHeaders, type NodeRequest, originForm } from "./node-request.ts";
import { addHeaders, type NodeResponse, writeRefusal } from "./node-response.ts";

/** A request of Express, as far as it matters here. */
export type ExpressRequest = NodeRequest & { originalUrl: string; readonly baseUrl: string; readonly route?: unknown };

/**
 * Express middleware (version 5) that lets requests through with `req.auth`, and answers all others.
 *
 * Use it before any other that reads the request. Below a router it decides about the whole path, `originalUrl`, and not
 * about what the router has left of it. `req.auth` has no type of its own there: `gateway.authOf(req)` has one, and throws on
 * a route that the middleware does not guard.
 * @example
 * ```ts
 * import express from "express";
 * import type { Gateway } from "@signet/gateway";
 * import { expressMiddleware } from "@signet/gateway/express";
 * declare const gateway: Gateway<{ readonly tenant: string }>;
 * const app = express().enable("case sensitive routing").enable("strict routing");
 * app.use(expressMiddleware(gateway));
 * app.get("/whoami", (req, res) => {
 *   const auth = gateway.authOf(req);
 *   res.json(auth.kind === "authenticated" ? auth.claims.tenant : null);
 * });
 * ```
 */
export function expressMiddleware<Claims>(
  gateway: Gateway<Claims>,
): (request: ExpressRequest, response: NodeResponse, next: () => void) => void {
  async function admit(request: ExpressRequest, response: NodeResponse): Promise<boolean> {
    const { originalUrl: target, baseUrl, route } = request;
    const routed = baseUrl !== "" || route !== undefined;
    const admission = await admitNodeRequest(gateway, { request, response, target, routed });
    if (admission.kind === "gone") return false;
    if (admission.kind === "refused") {
      writeRefusal(response, admission.refusal);
      return false;
    }
    changeExpressRequest(request, admission);
    addHeaders(response, admission.downstream);
    attach(request, admission.auth);
    gateway.keep(request, admission.auth);
    return true;
  }
  return (request, response, next) => {
    const proceed = (admitted: boolean): void => {
      // Outside the promise: what comes of `next` is none of its outcomes.
      if (admitted) queueMicrotask(next);
    };
    admit(request, response).then(proceed, () => response.destroy());
  };
}

type Admitted = Extract<Awaited<ReturnType<typeof admitNodeRequest>>, { kind: "admitted" }>;

/** Like `changeNodeRequest`, where a router may have taken the beginning off `url` and has kept the whole in `originalUrl`. */
function changeExpressRequest(request: ExpressRequest, { seen, upstream }: Admitted): void {
  const { url = "", originalUrl } = request;
  request.originalUrl = upstream.path ?? originForm(originalUrl);
  request.url = url === originalUrl ? request.originalUrl : withQueryOf(originForm(url), request.originalUrl);
  changeNodeHeaders(request, seen, upstream);
}

/** `path` with the query of `other`. */
function withQueryOf(path: string, other: string): string {
  const query = other.indexOf("?");
  return `${path.split("?", 1)[0]}${query < 0 ? "" : other.slice(query)}`;
}

function attach(request: object, auth: Auth<unknown>): void {
  Object.defineProperty(request, "auth", { value: auth, enumerable: true, configurable: true, writable: true });
}
