import { getEventListeners, once } from "node:events";
import type { Socket } from "node:net";
import { systemClock, withDeadline } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectCluster, type KubernetesApi, resources } from "./index.ts";
import { startAnswering, startListening } from "./testing/misbehaving-servers.ts";
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

async function answering(answer: Parameters<typeof startAnswering>[0]): Promise<string> {
  const { url, close } = await startAnswering(answer);
  ends.push(close);
  return url;
}

async function listening(onConnection: (socket: Socket) => void): Promise<string> {
  const { url, close } = await startListening(onConnection);
  ends.push(close);
  return url;
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
    const url = await listening(accepted.resolve);
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
    const url = await listening(accepted.resolve);
    const api = await connect({ server: url });
    const stop = new AbortController();
    const call = expect(api.list(namespaces, {}, stop.signal)).rejects.toBe("enough");
    const closed = once((await accepted.promise).resume(), "close");
    stop.abort("enough");
    await call;
    await closed;
  });

  it.each([
    ["our deadline", 60_000],
    // Such as that of a token's review, which is the shorter one.
    ["the caller's own", 5_000],
  ])("does not make the calls after it wait, once it is back on new connections and %s has passed", async (_, ms) => {
    const clock = new FakeClock();
    const api = await connect({ clock });
    // Five connections, all idle.
    await Promise.all(Array.from({ length: 5 }, () => api.list(namespaces, {}, never)));
    expect(server.connections()).toBe(5);
    server.cluster.setFault({ kind: "half-open" });
    const call = withDeadline({ clock, ms, what: "the call" }, (within) => api.list(namespaces, {}, within), never);
    const lost = expect(call).rejects.toMatchObject({ code: "deadline-exceeded" });
    while (server.cluster.requests.length < 6) await new Promise((resolve) => void setImmediate(resolve));
    await clock.advance(Math.min(ms, 10_000));
    await lost;
    server.cluster.setFault(undefined);
    await api.list(namespaces, {}, never);
    // None of the other four was trusted.
    expect(server.connections()).toBe(6);
  });
});
