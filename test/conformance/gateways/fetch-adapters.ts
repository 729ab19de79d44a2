import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { fetchHandler } from "@signet/gateway/fetch";
import { type HonoVariables, honoMiddleware } from "@signet/gateway/hono";
import { Hono } from "hono";
import type { AdapterUnderTest, Application, RunningServer, SeenRequest, ShopClaims } from "./adapter-under-test.ts";
import { listen, runningHttp } from "./send-http.ts";

type Serve = Parameters<typeof getRequestListener>[0];

async function serve(fetch: Serve): Promise<RunningServer> {
  const server = createServer(getRequestListener(fetch));
  return runningHttp(await listen(server), () => server[Symbol.asyncDispose]());
}

function answering(application: Application): (seen: SeenRequest) => Response {
  return (seen) => {
    application(seen);
    return new Response("done");
  };
}

function partsOf(request: Request): Pick<SeenRequest, "headers" | "path"> {
  const url = new URL(request.url);
  return { headers: new Map(request.headers), path: `${url.pathname}${url.search}` };
}

/** As a server does that has Node's own request. */
export const fetchOnNode: AdapterUnderTest = {
  name: "fetch",
  kind: "http",
  async start(gateway, application) {
    const answer = answering(application);
    const handler = fetchHandler(gateway, async (request, { auth }) => {
      const body = await request.text();
      return answer({ auth, conventional: gateway.authOf(request), ...partsOf(request), body });
    });
    return await serve((request, bindings) => answerFailure(() => handler(request, bindings)));
  },
};

/** As a server does that has the Fetch API and nothing else. */
export const fetchAlone: AdapterUnderTest = {
  name: "fetch, without Node's request",
  kind: "http",
  lacks: {
    repeatedHeaders: "the Fetch API joins them",
    requestTargets: "the Fetch API has no request line",
  },
  async start(gateway, application) {
    const answer = answering(application);
    const handler = fetchHandler(gateway, async (request, { auth }) => {
      const body = await request.text();
      return answer({ auth, conventional: gateway.authOf(request), ...partsOf(request), body });
    });
    return await serve((request) => answerFailure(() => handler(request)));
  },
};

/** What a handler of the Fetch API throws is its server's to answer. */
async function answerFailure(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch {
    return new Response("Internal Server Error", { status: 500 });
  }
}

export const honoApp: AdapterUnderTest = {
  name: "hono",
  kind: "http",
  async start(gateway, application) {
    const answer = answering(application);
    const app = new Hono<{ Variables: HonoVariables<ShopClaims> }>();
    app.onError((_error, c) => c.text("Internal Server Error", 500));
    app.use(honoMiddleware(gateway));
    app.all("*", async (c) => {
      const body = await c.req.text();
      return answer({ auth: gateway.authOf(c), conventional: c.get("auth"), ...partsOf(c.req.raw), body });
    });
    return await serve(app.fetch);
  },
};
