import type { Auth } from "./auth.ts";
import { admitFetchRequest, refusalResponse } from "./fetch.ts";
import { changeFetchRequest } from "./fetch-request.ts";
import type { Gateway } from "./gateway.ts";
import type { NodeRequest } from "./node-request.ts";
import type { JsonObject } from "./request-authenticator.ts";

/** What the middleware sets: `new Hono<{ Variables: HonoVariables<MyClaims> }>()`. */
export type HonoVariables<Claims = JsonObject> = { auth: Auth<Claims> };

/** A context of Hono, as far as it matters here. */
export type HonoContext<Claims> = {
  readonly req: { raw: Request };
  /** Of the server; `@hono/node-server` sets `incoming`. */
  readonly env: unknown;
  set(name: "auth", auth: Auth<Claims>): void;
  header(name: string, value: string, options: { readonly append: true }): void;
};

/**
 * Hono middleware (version 4) that lets requests through with `c.get("auth")`, and answers all others.
 *
 * Use it before any other that reads the request. On `@hono/node-server` it sees repeated headers apart, and who is at the
 * other end; on other servers it sees what the Fetch API shows.
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import type { Gateway } from "@signet/gateway";
 * import { type HonoVariables, honoMiddleware } from "@signet/gateway/hono";
 * type Claims = { readonly tenant: string };
 * declare const gateway: Gateway<Claims>;
 * const app = new Hono<{ Variables: HonoVariables<Claims> }>();
 * app.use(honoMiddleware(gateway));
 * app.get("/whoami", (c) => {
 *   const auth = c.get("auth");
 *   return c.json({ tenant: auth.kind === "authenticated" ? auth.claims.tenant : null });
 * });
 * ```
 */
export function honoMiddleware<Claims>(
  gateway: Gateway<Claims>,
): (context: HonoContext<Claims>, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (context, next) => {
    const request = context.req.raw;
    const admission = await admitFetchRequest(gateway, {
      ...{ request, incoming: incomingOf(context.env) },
      // Hono finds all handlers, of middleware too, before the first of them runs.
      routed: true,
    });
    if (admission.kind === "refused") return refusalResponse(request, admission.refusal);
    context.req.raw = changeFetchRequest(request, admission.upstream);
    context.set("auth", admission.auth);
    gateway.keep(context, admission.auth);
    await next();
    // Afterwards: a handler's own Response has none of the headers that were set before.
    for (const [name, value] of admission.downstream) context.header(name, value, { append: true });
    return undefined;
  };
}

function incomingOf(env: unknown): NodeRequest | undefined {
  if (typeof env !== "object" || env === null || !("incoming" in env)) return undefined;
  const { incoming } = env;
  const isNodes =
    typeof incoming === "object" && incoming !== null && "rawHeaders" in incoming && Array.isArray(incoming.rawHeaders);
  // The server sets it, never the client.
  return isNodes ? (incoming as NodeRequest) : undefined;
}
