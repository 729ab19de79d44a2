import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";

const answerBody = "0123456789".repeat(1000);
let server: Server;
let requests: number;
let proxy: FaultProxy;

beforeEach(async () => {
  requests = 0;
  server = createServer((_request, response) => {
    requests += 1;
    response.end(answerBody);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startFaultProxy({ port: portOfServer() });
});

afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

/** What a connection has received so far, and how it ended: "open", "end", or the code of its error. */
type Received = { readonly socket: Socket; text: string; how: string; readonly ended: Promise<unknown> };

function open(): Received {
  const socket = connect(proxy.port, "127.0.0.1");
  const received = { socket, text: "", how: "open", ended: once(socket, "close").catch(() => undefined) };
  socket.setEncoding("latin1").on("data", (text: string) => {
    received.text += text;
  });
  socket.once("end", () => {
    received.how = "end";
  });
  socket.once("error", (error: NodeJS.ErrnoException) => {
    received.how = error.code ?? error.message;
  });
  return received;
}

function ask(received: Received): void {
  received.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

async function answered(received: Received, times = 1): Promise<void> {
  const wholeAnswers = () => received.text.split(answerBody).length - 1;
  await expect.poll(wholeAnswers, { interval: 5, timeout: 20_000 }).toBe(times);
}

test("passes everything on", async () => {
  const one = open();
  ask(one);
  await answered(one);
  ask(one);
  await answered(one, 2);
  expect([proxy.accepted, proxy.open, requests]).toEqual([1, 1, 2]);
  one.socket.end();
  await one.ended;
  await expect.poll(() => proxy.open).toBe(0);
});

test("latency: both directions wait", async () => {
  proxy.set({ kind: "latency", ms: 60 });
  const startedAt = performance.now();
  const one = open();
  ask(one);
  await answered(one);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(118);
});

test("half-open: nothing goes through, on new connections and on old ones, until it is over", async () => {
  const before = open();
  ask(before);
  await answered(before);
  proxy.set({ kind: "half-open" });
  const during = open();
  await once(during.socket, "connect");
  ask(before);
  ask(during);
  await expect.poll(() => proxy.open).toBe(2);
  // A round trip to the server by another way: what was to come through would have.
  await fetch(`http://127.0.0.1:${portOfServer()}/`);
  expect(requests).toBe(2);
  expect([during.text, during.how, before.how]).toEqual(["", "open", "open"]);
  proxy.set({ kind: "pass" });
  await answered(before, 2);
  await answered(during);
});

test("abandoned: what is open stays silent for good, and new connections are served", async () => {
  const before = open();
  ask(before);
  await answered(before);
  proxy.abandon();
  ask(before);
  const after = open();
  ask(after);
  await answered(after);
  proxy.set({ kind: "half-open" });
  proxy.set({ kind: "pass" });
  // A round trip that began after what was to come through.
  ask(after);
  await answered(after, 2);
  expect([before.text.split(answerBody).length - 1, before.how, requests]).toEqual([1, "open", 3]);
  expect(proxy.open).toBe(2);
  before.socket.destroy();
  await expect.poll(() => proxy.open).toBe(1);
});

test("reset: new connections and old ones end with RST", async () => {
  const before = open();
  ask(before);
  await answered(before);
  proxy.set({ kind: "reset" });
  await before.ended;
  const during = open();
  await during.ended;
  expect([before.how, during.how]).toEqual(["ECONNRESET", "ECONNRESET"]);
  proxy.set({ kind: "pass" });
  const after = open();
  ask(after);
  await answered(after);
});

test("reset after a part of the answer", async () => {
  proxy.set({ kind: "reset", afterBytes: 500 });
  const one = open();
  ask(one);
  await one.ended;
  expect(one.how).toBe("ECONNRESET");
  // RST overtakes what the client has not read yet.
  expect(one.text.length).toBeLessThanOrEqual(500);
  expect(requests).toBe(1);
});

test.each([1, 16, 5_000])("truncate: the connection ends orderly after %d bytes", async (afterBytes) => {
  proxy.set({ kind: "truncate", afterBytes });
  const one = open();
  ask(one);
  await one.ended;
  expect([one.text.length, one.how]).toEqual([afterBytes, "end"]);
});

test("truncate counts anew on a connection that is open", async () => {
  proxy.set({ kind: "truncate", afterBytes: 50_000 });
  const one = open();
  ask(one);
  await answered(one);
  const before = one.text.length;
  proxy.set({ kind: "truncate", afterBytes: 7 });
  ask(one);
  await one.ended;
  expect(one.text.length - before).toBe(7);
});

test("garbage: the server hears nothing and the client gets no HTTP", async () => {
  proxy.set({ kind: "garbage" });
  const one = open();
  ask(one);
  await expect.poll(() => one.text.length).toBeGreaterThan(0);
  expect(one.text).toMatch(/^\x99+$/);
  expect(requests).toBe(0);
  await expect(fetch(`http://127.0.0.1:${proxy.port}/`)).rejects.toThrow();
});

test("a server that is away is a reset, and the proxy lives on", async () => {
  const port = portOfServer();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  const during = open();
  await during.ended;
  expect(during.how).toBe("ECONNRESET");
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const after = open();
  ask(after);
  await answered(after);
});

test("closes whatever the fault is, and cuts what is open", async () => {
  const one = open();
  ask(one);
  await answered(one);
  proxy.set({ kind: "half-open" });
  ask(one);
  // A round trip to the server by another way: by now the proxy has what was sent, and keeps it.
  await fetch(`http://127.0.0.1:${portOfServer()}/`);
  await proxy.close();
  await one.ended;
  expect(one.how).toBe("ECONNRESET");
  await expect.poll(() => proxy.open).toBe(0);
  proxy = await startFaultProxy({ port: portOfServer() });
});

function portOfServer(): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}
