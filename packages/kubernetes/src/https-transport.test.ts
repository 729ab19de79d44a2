import { getEventListeners, once } from "node:events";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { systemClock } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectCluster, type KubernetesApi, resources } from "./index.ts";
import { type FakeApiServer, startFakeApiServer } from "./testing.ts";

const { namespaces, secrets } = resources;
const never = new AbortController().signal;

let server: FakeApiServer;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  server = await startFakeApiServer();
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await server.stop();
});

async function connect(
  options: { readonly server?: string; readonly clock?: FakeClock; readonly deadlineMs?: number } = {},
): Promise<KubernetesApi> {
  const text = server.kubeconfig(options.server === undefined ? {} : { server: options.server });
  const { clock = systemClock, deadlineMs } = options;
  const limits = deadlineMs === undefined ? {} : { limits: { deadlineMs } };
  const api = await connectCluster({ kind: "kubeconfig-text", text }, { clock, ...limits });
  ends.push(() => api.close());
  return api;
}

/** Listens on loopback; what it does with a connection is the test's. */
async function listen(
  onConnection: (socket: Socket) => void,
): Promise<{ readonly url: string; readonly server: Server }> {
  const sockets = new Set<Socket>();
  const listening = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    onConnection(socket);
  });
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    listening.close();
  });
  return { url: `https://127.0.0.1:${(listening.address() as AddressInfo).port}`, server: listening };
}

/** An HTTPS server with the fake's own certificate that answers as the test says. */
async function answering(answer: Parameters<typeof createHttpsServer>[1]): Promise<string> {
  const { readFileSync } = await import("node:fs");
  const read = (name: string) => readFileSync(new URL(`./testing/testdata/${name}`, import.meta.url));
  const listening: HttpsServer = createHttpsServer({ cert: read("localhost.pem"), key: read("localhost.key") }, answer);
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  ends.push(() => {
    listening.closeAllConnections();
    listening.close();
  });
  return `https://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

describe("connections", () => {
  it("are kept and used again", async () => {
    const api = await connect();
    for (let call = 0; call < 20; call += 1) await api.list(namespaces, {}, never);
    expect(server.connections()).toBe(1);
  });

  it("are as many as there are calls at once, up to 64, and none waits for a rate", async () => {
    const api = await connect();
    const calls = Array.from({ length: 500 }, () => api.read(namespaces, { name: "default" }, never));
    expect((await Promise.all(calls)).every((namespace) => namespace !== undefined)).toBe(true);
    expect(server.connections()).toBe(64);
  });

  it("of watches do not stand in the way of calls", async () => {
    const api = await connect();
    const stop = new AbortController();
    const watches = Array.from({ length: 80 }, () =>
      api.watch(secrets, { resourceVersion: "10001" }, stop.signal)[Symbol.asyncIterator](),
    );
    for (const watch of watches) expect((await watch.next()).value).toMatchObject({ kind: "bookmark" });
    expect(await api.read(namespaces, { name: "default" }, never)).toBeDefined();
    const endings = watches.map((watch) => expect(watch.next()).rejects.toBe("enough"));
    stop.abort("enough");
    await Promise.all(endings);
    // What was left of the answers is read by nobody, and the server sees that.
    while (server.cluster.watchCount > 0) await new Promise((resolve) => void setImmediate(resolve));
  });

  it("that the server has closed meanwhile are replaced", async () => {
    const api = await connect();
    await api.list(namespaces, {}, never);
    await server.pause();
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
    await server.resume();
    expect((await api.list(namespaces, {}, never)).items).toHaveLength(4);
  });

  it("that die in the moment of their use are replaced for what may be asked twice", async () => {
    let refused = 0;
    let taken = 0;
    const url = await answering((request, response) => {
      taken += 1;
      // Every second request on a connection finds it closed, without a word.
      const socket: Socket & { used?: boolean } = request.socket;
      if (socket.used === true) {
        refused += 1;
        socket.destroy();
        return;
      }
      socket.used = true;
      response.end('{"kind":"NamespaceList","metadata":{"resourceVersion":"1"}}');
    });
    const api = await connect({ server: url });
    for (let call = 0; call < 10; call += 1) await api.list(namespaces, {}, never);
    expect({ taken, refused }).toEqual({ taken: 19, refused: 9 });
    // Whether a write was done cannot be known.
    const creating = api.create(namespaces, { metadata: { name: "a" } }, never);
    await expect(creating).rejects.toMatchObject({ code: "unavailable" });
    expect({ taken, refused }).toEqual({ taken: 20, refused: 10 });
  });

  it("that all died while idle are none of them tried a second time", async () => {
    let dead = false;
    const url = await answering((request, response) => {
      const socket: Socket & { used?: boolean } = request.socket;
      if (dead && socket.used === true) return void socket.destroy();
      socket.used = true;
      response.end('{"kind":"NamespaceList","metadata":{"resourceVersion":"1"}}');
    });
    const api = await connect({ server: url });
    await Promise.all([1, 2, 3, 4].map(() => api.list(namespaces, {}, never)));
    dead = true;
    expect((await api.list(namespaces, {}, never)).items).toEqual([]);
  });

  it("that break when they are new are not tried again", async () => {
    const api = await connect();
    server.cluster.setFault({ kind: "reset" });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
    expect(server.cluster.requests).toHaveLength(1);
  });

  it("leave nothing on the signal", async () => {
    const api = await connect();
    const stop = new AbortController();
    for (let call = 0; call < 5; call += 1) await api.list(namespaces, {}, stop.signal);
    for await (const event of api.watch(secrets, { resourceVersion: "10001" }, stop.signal)) {
      expect(event.kind).toBe("bookmark");
      break;
    }
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("are closed for good by close", async () => {
    const api = await connect();
    const watch = api.watch(secrets, { resourceVersion: "10001" }, never)[Symbol.asyncIterator]();
    await watch.next();
    const ending = expect(watch.next()).rejects.toMatchObject({ code: "unavailable" });
    api.close();
    await ending;
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a server behind which nobody is", () => {
  it("is given up after the deadline, also during the handshake", async () => {
    const clock = new FakeClock();
    const accepted = Promise.withResolvers<Socket>();
    const { url } = await listen(accepted.resolve);
    const api = await connect({ server: url, clock });
    const call = expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "deadline-exceeded" });
    const socket = await accepted.promise;
    const closed = once(socket.resume(), "close");
    await clock.advance(10_000);
    await call;
    // The connection does not stay behind.
    await closed;
  });

  it("is given up at once on abort, and its connection with it", async () => {
    const accepted = Promise.withResolvers<Socket>();
    const { url } = await listen(accepted.resolve);
    const api = await connect({ server: url });
    const stop = new AbortController();
    const call = expect(api.list(namespaces, {}, stop.signal)).rejects.toBe("enough");
    const closed = once((await accepted.promise).resume(), "close");
    stop.abort("enough");
    await call;
    await closed;
  });

  it("does not make the calls after it wait, once it is back on new connections", async () => {
    const clock = new FakeClock();
    const api = await connect({ clock });
    // Five connections, all idle.
    await Promise.all(Array.from({ length: 5 }, () => api.list(namespaces, {}, never)));
    expect(server.connections()).toBe(5);
    server.cluster.setFault({ kind: "half-open" });
    const lost = expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "deadline-exceeded" });
    while (server.cluster.requests.length < 6) await new Promise((resolve) => void setImmediate(resolve));
    await clock.advance(10_000);
    await lost;
    server.cluster.setFault(undefined);
    await api.list(namespaces, {}, never);
    // None of the other four was trusted.
    expect(server.connections()).toBe(6);
  });
});

describe("an answer", () => {
  it("that redirects is not followed", async () => {
    const asked: string[] = [];
    const url = await answering((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(307, { location: `${server.url}/api/v1/namespaces` }).end();
    });
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-malformed", status: 307 });
    expect(asked).toEqual(["/api/v1/namespaces?limit=250"]);
    expect(server.cluster.requests).toEqual([]);
  });

  it("that is compressed is refused", async () => {
    const url = await answering((_, response) => {
      const list = '{"kind":"NamespaceList","metadata":{"resourceVersion":"1"}}';
      response.writeHead(200, { "content-encoding": "gzip" }).end(list);
    });
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-malformed" });
  });

  it("that is no HTTP is no answer", async () => {
    const { url } = await listen((socket) => void socket.end("garbage ".repeat(100)));
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
  });

  it.each([
    ["of unknown length", {}],
    ["that says its length", { "content-length": "9000000" }],
  ])("without end is cut at the bound: one %s", async (_, headers) => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const url = await answering((_request, response) => {
      response.writeHead(200, headers);
      response.on("close", closed.resolve);
      const write = (): void => {
        while (!response.destroyed && sent < 64_000_000) {
          sent += 100_000;
          if (!response.write("x".repeat(100_000))) return void response.once("drain", write);
        }
      };
      write();
    });
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-too-large" });
    await closed.promise;
    expect(sent).toBeLessThan(64_000_000);
  });

  it("that refuses at any length is read to a bound", async () => {
    const url = await answering((_request, response) => {
      response.writeHead(503);
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(100_000)));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable", status: 503 });
  });

  it("of a list that goes on where it was is refused", async () => {
    const url = await answering((_request, response) => {
      response.end('{"kind":"NamespaceList","metadata":{"resourceVersion":"1","continue":"again"}}');
    });
    const api = await connect({ server: url });
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-malformed" });
  });

  it("of a watch with a line without end is cut at the bound", async () => {
    const url = await answering((_request, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(100_000)));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
    const api = await connect({ server: url });
    const watch = api.watch(secrets, { resourceVersion: "1" }, never)[Symbol.asyncIterator]();
    await watch.next();
    await expect(watch.next()).rejects.toMatchObject({ code: "response-too-large" });
  });

  it("with credentials in it goes to the path below the server's own", async () => {
    const seen: unknown[] = [];
    const url = await answering((request, response) => {
      seen.push([request.url, request.headers.authorization, request.headers["user-agent"]]);
      response.end('{"kind":"NamespaceList","metadata":{"resourceVersion":"1"}}');
    });
    const api = await connect({ server: `${url}/k8s/clusters/c-1/` });
    await api.list(namespaces, {}, never);
    const authorization = `Bearer ${server.cluster.adminToken}`;
    expect(seen).toEqual([["/k8s/clusters/c-1/api/v1/namespaces?limit=250", authorization, "signet"]]);
  });
});

describe("the server's certificate", () => {
  it("is verified whatever the environment says", async () => {
    const text = server.kubeconfig().replace(/.*certificate-authority-data.*\n/, "");
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      const api = await connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock });
      await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
      expect(server.cluster.requests).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  it("has to be for the name or address that was asked for", async () => {
    const { port } = new URL(server.url);
    const byName = await connect({ server: `https://localhost:${port}` });
    expect((await byName.list(namespaces, {}, never)).items).toHaveLength(4);
    const byOther = await connect({ server: `https://127.0.0.2:${port}` });
    await expect(byOther.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
  });
});
