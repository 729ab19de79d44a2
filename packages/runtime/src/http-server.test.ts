import { once } from "node:events";
import { get, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpAnswer, HttpMethodRoute, HttpRequest, HttpRoute } from "./http-route.ts";
import { type HttpServer, serveHttp } from "./http-server.ts";
import { FakeClock, type FakeLogger, fakeLogger } from "./testing.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function start(
  routes: Record<string, HttpRoute | HttpMethodRoute>,
  clock = new FakeClock(),
): Promise<{ server: HttpServer; logger: FakeLogger; clock: FakeClock }> {
  const logger = fakeLogger();
  const server = await serveHttp({ host: "127.0.0.1", port: 0, routes, logger, clock });
  open.push(server);
  return { server, logger, clock };
}

const ok: HttpRoute = async () => ({ status: 200, body: "fine\n" });

async function fetchFrom(server: HttpServer, path: string, init?: RequestInit): Promise<Response> {
  return await fetch(`http://127.0.0.1:${server.address.port}${path}`, init);
}

describe("serveHttp", () => {
  it("gives the route method, path, query and address, and sends its answer", async () => {
    let seen: HttpRequest | undefined;
    const { server } = await start({
      "/metrics": async (request): Promise<HttpAnswer> => {
        seen = request;
        return { status: 201, body: "é", contentType: "text/x-test", headers: { "x-extra": "1" } };
      },
    });
    const response = await fetchFrom(server, "/metrics?a=1&b=%20");
    expect(response.status).toBe(201);
    expect(await response.text()).toBe("é");
    expect(response.headers.get("content-type")).toBe("text/x-test");
    expect(response.headers.get("x-extra")).toBe("1");
    expect(response.headers.get("content-length")).toBe("2");
    expect(seen).toMatchObject({ method: "GET", path: "/metrics", remoteAddress: "127.0.0.1" });
    expect([...(seen?.query ?? [])]).toEqual([
      ["a", "1"],
      ["b", " "],
    ]);
  });

  it("writes the address of an IPv4 client as IPv4 on the socket for all interfaces", async () => {
    const logger = fakeLogger();
    const route: HttpRoute = async ({ remoteAddress }) => ({ status: 200, body: remoteAddress });
    const server = await serveHttp({ host: "::", port: 0, routes: { "/": route }, logger });
    open.push(server);
    expect(await (await fetchFrom(server, "/")).text()).toBe("127.0.0.1");
  });

  it("answers HEAD without a body", async () => {
    const { server } = await start({ "/": ok });
    const response = await fetchFrom(server, "/", { method: "HEAD" });
    expect(response.headers.get("content-length")).toBe("5");
    expect(await response.text()).toBe("");
  });

  it.each([
    ["GET", "/nowhere", 404, null],
    ["GET", "/ready/", 404, null],
    ["GET", "/__proto__", 404, null],
    ["POST", "/ready", 405, "GET, HEAD"],
    ["GET", "/quit", 405, "POST"],
    ["HEAD", "/quit", 405, "POST"],
    ["POST", "/quit", 200, null],
  ])("answers %s %s with %d", async (method, path, status, allow) => {
    const { server } = await start({ "/ready": ok, "/quit": { methods: ["POST"], answer: ok } });
    const response = await fetchFrom(server, path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("allow")).toBe(allow);
  });

  it("answers 500 with a fixed body and logs the cause when a route throws", async () => {
    const cause = new Error("database password is hunter2");
    const { server, logger } = await start({
      "/": () => {
        throw cause;
      },
    });
    const response = await fetchFrom(server, "/");
    expect(response.status).toBe(500);
    expect(await response.text()).toBe("internal error\n");
    expect(logger.lines).toEqual([
      { level: "error", message: "http route failed", fields: { path: "/", error: cause } },
    ]);
  });

  it("cuts the connection and stays up when an answer cannot be sent", async () => {
    const { server, logger } = await start({
      "/": async () => ({ status: 200, body: "", headers: { "x-extra": "a\r\nset-cookie: b" } }),
      "/fine": ok,
    });
    await expect(fetchFrom(server, "/")).rejects.toThrow();
    expect((await fetchFrom(server, "/fine")).status).toBe(200);
    expect(logger.lines).toMatchObject([{ message: "http answer failed" }]);
  });

  it("gives up on a route after 30 seconds, and aborts it", async () => {
    let signal: AbortSignal | undefined;
    const { server, clock } = await start({
      "/": (request) => {
        signal = request.signal;
        return new Promise(() => {});
      },
    });
    const answer = fetchFrom(server, "/");
    await clock.untilSleepers(1);
    await clock.advance(30_000);
    expect((await answer).status).toBe(503);
    expect(signal?.aborted).toBe(true);
  });

  it("aborts the signal of a route whose client goes away, and says nothing in the log", async () => {
    const aborted = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { server, logger } = await start({
      "/": (request) => {
        begun.resolve();
        return new Promise((_, reject) => {
          request.signal.addEventListener("abort", () => {
            aborted.resolve();
            reject(request.signal.reason);
          });
        });
      },
    });
    const client = get({ port: server.address.port, host: "127.0.0.1" });
    client.on("error", () => undefined);
    await begun.promise;
    client.destroy();
    await aborted.promise;
    await new Promise((resolve) => void setImmediate(resolve));
    expect(logger.lines).toEqual([]);
  });

  it("ends idle connections at once on close, and refuses new ones", async () => {
    const { server } = await start({ "/": ok });
    const socket = connect(server.address.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(socket, "data");
    const begin = performance.now();
    await Promise.all([server.close(), once(socket, "close")]);
    expect(performance.now() - begin).toBeLessThan(1_000);
    await expect(fetchFrom(server, "/")).rejects.toThrow();
  });

  it("lets a request under way end on close, then ends its connection", async () => {
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const { server } = await start({
      "/": async () => {
        begun.resolve();
        await finish.promise;
        return { status: 200, body: "fine\n" };
      },
    });
    const client = httpRequest({ port: server.address.port, host: "127.0.0.1", headers: { connection: "keep-alive" } });
    client.end();
    await begun.promise;
    const closed = server.close();
    finish.resolve();
    const [response] = (await once(client, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe("close");
    response.resume();
    await closed;
  });

  it("cuts a request that does not end soon after close", async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    const { server, clock } = await start({
      "/": (request) => {
        begun.resolve(request.signal);
        return new Promise(() => {});
      },
    });
    const answer = fetchFrom(server, "/").then(
      () => "answered",
      () => "cut",
    );
    const signal = await begun.promise;
    const closing = Promise.all([server.close(), server.close()]);
    await clock.advance(1_999);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    await closing;
    expect(signal.aborted).toBe(true);
    expect(await answer).toBe("cut");
  });

  it("names the address when it cannot listen", async () => {
    const { server, logger } = await start({ "/": ok });
    const { port } = server.address;
    await expect(serveHttp({ host: "127.0.0.1", port, routes: {}, logger })).rejects.toMatchObject({
      code: "listen-failed",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });
});
