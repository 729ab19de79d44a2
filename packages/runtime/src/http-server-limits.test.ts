import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpMethodRoute, HttpRoute } from "./http-route.ts";
import { type HttpServer, serveHttp } from "./http-server.ts";
import { FakeClock, fakeLogger } from "./testing.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function start(routes: Record<string, HttpRoute | HttpMethodRoute>): Promise<HttpServer> {
  const server = await serveHttp({ host: "127.0.0.1", port: 0, routes, logger: fakeLogger(), clock: new FakeClock() });
  open.push(server);
  return server;
}

const ok: HttpRoute = async () => ({ status: 200, body: "fine\n" });

/** Sends raw bytes and returns all that comes back until the server ends the connection. */
async function raw(server: HttpServer, text: string): Promise<string> {
  const socket = connect(server.address.port, "127.0.0.1");
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    received += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await once(socket, "close");
  return received;
}

describe("the limits of serveHttp", () => {
  it("reads a small body and throws it away", async () => {
    const server = await start({ "/": { methods: ["POST"], answer: ok } });
    const body = "x".repeat(65_536);
    const answer = await raw(
      server,
      `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 65536\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ["announced", `content-length: 65537\r\n\r\n`],
    ["in chunks", `transfer-encoding: chunked\r\n\r\n10001\r\n${"x".repeat(65_537)}\r\n`],
  ])("refuses a body that is too large, %s, and ends the connection", async (_, rest) => {
    const server = await start({ "/": { methods: ["POST"], answer: ok } });
    const answer = await raw(server, `POST / HTTP/1.1\r\nhost: a\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
  });

  it.each([
    ["headers above 16 KiB", `GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(16_384)}\r\n\r\n`, 431],
    ["no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", 400],
    ["no host", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n", 400],
    ["an absolute target", "GET http://a/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 400],
    ["two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400],
  ])("refuses %s", async (_, text, status) => {
    const server = await start({ "/": ok });
    expect(await raw(server, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it("serves at most 256 connections", async () => {
    const server = await start({ "/": ok });
    const sockets: Socket[] = [];
    for (let count = 0; count < 256; count += 1) {
      const socket = connect(server.address.port, "127.0.0.1");
      sockets.push(socket);
      // A connection has been accepted once it answers.
      socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await once(socket, "data");
    }
    expect(await raw(server, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")).toBe("");
    for (const socket of sockets) socket.destroy();
  });
});
