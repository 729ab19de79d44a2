import { admitNodeRequest } from "./admit-node-request.ts";
import type { Auth } from "./auth.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure } from "./gateway-events.ts";
import { changeNodeRequest, type NodeRequest } from "./node-request.ts";
import type { Waiting } from "./node-response.ts";
import { type Refusal, refusalHeaders, unavailable } from "./refusal.ts";

/** A request of Fastify, as far as it matters here. */
export type FastifyRequest = { readonly raw: NodeRequest; query: unknown };

/** A reply of Fastify, as far as it matters here. */
export type FastifyReply = {
  readonly raw: Waiting;
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
};

/** An instance of Fastify, as far as it matters here. */
export type FastifyInstance = {
  decorateRequest(name: "auth", value: null): unknown;
  addHook(name: "onRequest", hook: (request: FastifyRequest, reply: FastifyReply, done: () => void) => void): unknown;
};

/** A plugin of Fastify that is not confined to the scope it is registered in. */
export type FastifyPlugin = (instance: FastifyInstance, options: unknown, done: () => void) => void;

/**
 * A Fastify plugin (version 5) that lets requests through with `request.auth`, and answers all others, in the hook `onRequest`.
 *
 * Register it before routes and other plugins: it guards all of them, the answer 404 included. To guard some routes alone,
 * register it in a scope of theirs with `scoped: true`. `gateway.authOf(request)` is typed, and throws where nothing guards.
 * @example
 * ```ts
 * import fastify from "fastify";
 * import type { Gateway } from "@signet/gateway";
 * import { fastifyPlugin } from "@signet/gateway/fastify";
 * declare const gateway: Gateway<{ readonly tenant: string }>;
 * const app = fastify();
 * await app.register(fastifyPlugin(gateway));
 * app.get("/whoami", async (request) => {
 *   const auth = gateway.authOf(request);
 *   return { tenant: auth.kind === "authenticated" ? auth.claims.tenant : null };
 * });
 * ```
 */
export function fastifyPlugin<Claims>(
  gateway: Gateway<Claims>,
  { scoped = false }: { readonly scoped?: boolean } = {},
): FastifyPlugin {
  const hook = onRequest(gateway);
  const plugin: FastifyPlugin = (instance, _options, done) => {
    instance.decorateRequest("auth", null);
    instance.addHook("onRequest", hook);
    done();
  };
  const properties = { [Symbol.for("skip-override")]: !scoped, [Symbol.for("fastify.display-name")]: "signet-gateway" };
  return Object.assign(plugin, properties);
}

function onRequest<Claims>(
  gateway: Gateway<Claims>,
): (request: FastifyRequest, reply: FastifyReply, done: () => void) => void {
  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const admission = await admitNodeRequest(gateway, {
      ...{ request: request.raw, response: reply.raw },
      // Fastify finds the route before its hooks run.
      routed: true,
    });
    if (admission.kind === "gone") return false;
    if (admission.kind === "refused") {
      sendRefusal(reply, admission.refusal);
      return false;
    }
    const { auth, seen, upstream, downstream } = admission;
    for (const [name, value] of downstream) reply.header(name, value);
    changeNodeRequest(request.raw, seen, upstream);
    if (upstream.path !== undefined) keepParams(request, seen.path, upstream.path);
    attach(request, auth);
    gateway.keep(request, auth);
    return true;
  }
  return (request, reply, done) => {
    const fail = (error: unknown): void => {
      reportFailure(gateway.events, { what: "authenticator", error });
      sendRefusal(reply, unavailable);
    };
    // A request that is not let through never gets to `done`, and with that to no handler.
    admit(request, reply).then((admitted) => {
      if (admitted) queueMicrotask(done);
    }, fail);
  };
}

function sendRefusal(reply: FastifyReply, refusal: Refusal): void {
  reply.code(refusal.status);
  for (const [name, value] of refusalHeaders(refusal)) reply.header(name, value);
  reply.send(refusal.body);
}

/** Fastify has read the query before its hooks run: what has gone from the path goes from there too. */
function keepParams(request: FastifyRequest, before: string, after: string): void {
  const { query } = request;
  if (typeof query !== "object" || query === null) return;
  const kept = namesIn(after);
  const gone = [...namesIn(before)].filter((name) => !kept.has(name));
  request.query = Object.fromEntries(Object.entries(query).filter(([name]) => !gone.includes(name)));
}

function namesIn(path: string): ReadonlySet<string> {
  const query = path.indexOf("?");
  return new Set(query < 0 ? [] : new URLSearchParams(path.slice(query)).keys());
}

function attach(request: FastifyRequest & { auth?: Auth<unknown> }, auth: Auth<unknown>): void {
  request.auth = auth;
}
