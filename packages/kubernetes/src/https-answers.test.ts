import type { Socket } from "node:net";
import { systemClock } from "@signet/runtime";
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

async function connect(address = server.url): Promise<KubernetesApi> {
  const text = server.kubeconfig({ server: address });
  const api = await connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock });
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

describe("an answer", () => {
  it("that redirects is not followed", async () => {
    const asked: string[] = [];
    const url = await answering((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(307, { location: `${server.url}/api/v1/namespaces` }).end();
    });
    const api = await connect(url);
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-malformed", status: 307 });
    expect(asked).toEqual(["/api/v1/namespaces?limit=250"]);
    expect(server.cluster.requests).toEqual([]);
  });

  it("that is compressed is refused", async () => {
    const url = await answering((_, response) => {
      const list = '{"kind":"NamespaceList","metadata":{"resourceVersion":"1"}}';
      response.writeHead(200, { "content-encoding": "gzip" }).end(list);
    });
    const api = await connect(url);
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "response-malformed" });
  });

  it("that is no HTTP is no answer", async () => {
    const url = await listening((socket) => void socket.end("garbage ".repeat(100)));
    const api = await connect(url);
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
    const api = await connect(url);
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
    const api = await connect(url);
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable", status: 503 });
  });

  it("of a list that goes on where it was is refused", async () => {
    const url = await answering((_request, response) => {
      response.end('{"kind":"NamespaceList","metadata":{"resourceVersion":"1","continue":"again"}}');
    });
    const api = await connect(url);
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
    const api = await connect(url);
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
    const api = await connect(`${url}/k8s/clusters/c-1/`);
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
    const byName = await connect(`https://localhost:${port}`);
    expect((await byName.list(namespaces, {}, never)).items).toHaveLength(4);
    const byOther = await connect(`https://127.0.0.2:${port}`);
    await expect(byOther.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
  });
});
