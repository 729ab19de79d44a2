import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Gateway } from "@signet/gateway";
import { expressMiddleware } from "@signet/gateway/express";
import { fastifyPlugin } from "@signet/gateway/fastify";
import { http2RequestListener, requestListener } from "@signet/gateway/node-http";
import express, { type Request, type Response } from "express";
import fastify from "fastify";
import type { AdapterUnderTest, Application, ShopClaims } from "./adapter-under-test.ts";
import { listen, runningHttp, sendHttp2 } from "./send-http.ts";

export const nodeHttp: AdapterUnderTest = {
  name: "node-http",
  kind: "http",
  async start(gateway, application) {
    const server = createServer(
      requestListener(gateway, async (request, response, auth) => {
        const body = await text(request);
        const path = request.url ?? "";
        application({ auth, conventional: gateway.authOf(request), headers: mapOf(request.headers), path, body });
        response.end("done");
      }),
    );
    return runningHttp(await listen(server), () => server[Symbol.asyncDispose]());
  },
};

export const nodeHttp2: AdapterUnderTest = {
  name: "node-http, over HTTP/2",
  kind: "http",
  lacks: { requestTargets: "HTTP/2 has no request line" },
  async start(gateway, application) {
    const server = createHttp2Server(
      http2RequestListener(gateway, async (request, response, auth) => {
        const body = await text(request);
        const path = request.url;
        application({ auth, conventional: gateway.authOf(request), headers: mapOf(request.headers), path, body });
        response.end("done");
      }),
    );
    const port = await listen(server);
    return {
      send: (request) => sendHttp2(port, request),
      close: async () => void (await new Promise((resolve) => server.close(resolve))),
    };
  },
};

async function expressHandler(
  gateway: Gateway<ShopClaims>,
  application: Application,
  req: Request,
  res: Response,
): Promise<void> {
  const body = await text(req);
  const conventional = "auth" in req ? req.auth : undefined;
  const headers = mapOf(req.headers);
  application({ auth: gateway.authOf(req), conventional, headers, path: req.originalUrl, body });
  res.send("done");
}

export const expressApp: AdapterUnderTest = {
  name: "express",
  kind: "http",
  async start(gateway, application) {
    const app = express().set("env", "test");
    app.use(expressMiddleware(gateway));
    app.use((req, res) => expressHandler(gateway, application, req, res));
    const server = createServer(app);
    return runningHttp(await listen(server), () => server[Symbol.asyncDispose]());
  },
};

/** Where a router has taken the beginning off the path before the middleware runs. */
export const expressRouter: AdapterUnderTest = {
  name: "express, below a router",
  kind: "http",
  root: "/shop",
  async start(gateway, application) {
    const app = express().set("env", "test");
    const router = express.Router();
    router.use(expressMiddleware(gateway));
    router.use((req, res) => {
      const [path = ""] = req.url.split("?");
      if (!`${req.baseUrl}${path}`.startsWith(req.originalUrl.split("?")[0] ?? "")) throw new Error("another path");
      if ((req.url.split("?")[1] ?? "") !== (req.originalUrl.split("?")[1] ?? "")) throw new Error("another query");
      return expressHandler(gateway, application, req, res);
    });
    app.use("/shop", router);
    const server = createServer(app);
    return runningHttp(await listen(server), () => server[Symbol.asyncDispose]());
  },
};

export const fastifyApp: AdapterUnderTest = {
  name: "fastify",
  kind: "http",
  async start(gateway, application) {
    const app = fastify({ logger: false, exposeHeadRoutes: false });
    await app.register(fastifyPlugin(gateway));
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
    app.all("/*", async (request) => {
      const conventional = "auth" in request ? request.auth : undefined;
      const query = new URLSearchParams(request.query as Record<string, string>).toString();
      const [path = ""] = request.url.split("?");
      application({
        ...{ auth: gateway.authOf(request), conventional, headers: mapOf(request.headers) },
        path: query === "" ? path : `${path}?${query}`,
        body: typeof request.body === "string" ? request.body : "",
      });
      return "done";
    });
    await app.listen({ host: "127.0.0.1", port: 0 });
    return runningHttp((app.server.address() as AddressInfo).port, () => app.close());
  },
};

function mapOf(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
