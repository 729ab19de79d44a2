import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CustomQuestion, parseAttributeContext } from "@signet/authorizer";
import { parseMeshConfig } from "@signet/documents";
import { bindService, type GrpcListener, plaintextCredentials, serve, type UnaryHandler } from "@signet/grpc";
import {
  Authorization,
  type CheckRequest,
  type CheckResponseSchema,
} from "@signet/protos/envoy/service/auth/v3/external_auth";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openProviders, type ProviderBoard } from "./provider-board.ts";

let failures: string[];
let board: ProviderBoard | undefined;
let closers: (() => unknown)[];
const never = new AbortController().signal;

beforeEach(() => {
  failures = [];
  closers = [];
});

afterEach(async () => {
  board?.close();
  for (const close of closers) await close();
});

function open(extensionProviders: readonly object[], timeoutMs = 5_000): ProviderBoard {
  const parsed = parseMeshConfig(JSON.stringify({ extensionProviders }), { file: "mesh.yaml" });
  if (parsed.kind === "refused") throw new Error("the mesh config is refused");
  board = openProviders(parsed.meshConfig.extensionProviders, {
    events: { failed: ({ provider, failOpen }) => failures.push(`${provider} ${failOpen}`) },
    timeoutMs,
  });
  return board;
}

function question(provider: string, http: object = {}): CustomQuestion {
  const policy = { namespace: "foo", name: "a" };
  const headers = [
    ["Authorization", "Bearer t"],
    ["x-one", "1"],
    ["x-two", "2"],
    ["x-two", "3"],
    ["cookie", "c"],
  ].map(([key, value]) => ({ key, value }));
  const request = parseAttributeContext({
    source: {
      principal: "spiffe://td/ns/foo/sa/web",
      address: { socketAddress: { address: "10.0.0.7", portValue: 1 } },
    },
    request: {
      http: { method: "POST", scheme: "https", host: "shop.example", path: "/p?q=1", headerMap: { headers }, ...http },
    },
    contextExtensions: { workload: "foo" },
  });
  return { provider, rule: { policy, ruleIndex: 0, id: "ns[foo]-policy[a]-rule[0]" }, request };
}

async function startHttp(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("a provider of HTTP", () => {
  const provider = (port: number, more: object = {}): object => ({
    name: "http",
    envoyExtAuthzHttp: {
      service: "127.0.0.1",
      port,
      pathPrefix: "/check",
      includeRequestHeadersInCheck: ["x-t*"],
      includeAdditionalHeadersInCheck: { "x-from": "mesh" },
      ...more,
    },
  });

  test("sees the request as far as it is meant to", async () => {
    let seen: IncomingMessage | undefined;
    const port = await startHttp((request, response) => {
      seen = request;
      response.end();
    });
    await open([provider(port)]).ask(question("http"), never);
    expect(`${seen?.method} ${seen?.url}`).toBe("POST /check/p?q=1");
    expect(seen?.headers).toMatchObject({
      host: "shop.example",
      authorization: "Bearer t",
      "x-two": "2, 3",
      "x-from": "mesh",
    });
    expect(seen?.headers.cookie).toBeUndefined();
    expect(seen?.headers["x-one"]).toBeUndefined();
  });

  test("allows with 200, and headers that are to go on", async () => {
    const port = await startHttp((_, response) =>
      response.setHeader("x-user", "alice").setHeader("x-down", "1").setHeader("x-other", "1").end(),
    );
    const answer = await open([
      provider(port, { headersToUpstreamOnAllow: ["X-User"], headersToDownstreamOnAllow: ["x-down"] }),
    ]).ask(question("http"), never);
    expect(answer).toEqual({
      kind: "allowed",
      upstream: { remove: ["x-user"], add: [["x-user", "alice"]] },
      downstream: [["x-down", "1"]],
    });
  });

  test("denies with its own answer", async () => {
    const port = await startHttp((_, response) =>
      response.writeHead(302, { location: "/login", "x-a": "1" }).end("go"),
    );
    const answer = await open([provider(port, { headersToDownstreamOnDeny: ["x-b"] })]).ask(question("http"), never);
    expect(answer).toEqual({ kind: "denied", answer: { status: 302, body: "go", headers: [["location", "/login"]] } });
  });

  test.each([
    ["answers with 500", (_: IncomingMessage, response: ServerResponse) => void response.writeHead(500).end()],
    ["hangs up", (_: IncomingMessage, response: ServerResponse) => void response.destroy()],
    ["never answers", () => undefined],
    [
      "allows without end",
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).write("x".repeat(70_000)),
    ],
  ])("that %s gave no answer", async (_, answer) => {
    const port = await startHttp(answer);
    const result = await open([provider(port, { failOpen: true, statusOnError: "503" })], 300).ask(
      question("http"),
      never,
    );
    expect(result).toMatchObject({ kind: "unavailable", failOpen: true, status: 503 });
    expect(failures).toEqual(["http true"]);
  });

  test.each([
    ["with more than can be read", (response: ServerResponse) => response.write("x".repeat(70_000))],
    ["and never ends", (response: ServerResponse) => response.write("x")],
    [
      "and hangs up",
      (response: ServerResponse) =>
        response.writeHead(403, { "content-length": 9 }).write("x", () => response.destroy()),
    ],
  ])("that denies %s has denied, also where it may be done without", async (_, answer) => {
    const port = await startHttp((__, response) => {
      response.statusCode = 403;
      answer(response);
    });
    const result = await open([provider(port, { failOpen: true })], 300).ask(question("http"), never);
    expect(result).toMatchObject({ kind: "denied", answer: { status: 403, body: "" } });
  });

  test("cannot be asked about TCP", async () => {
    const { request: _, ...others } = question("http");
    const tcp = { ...others, request: parseAttributeContext({}) };
    expect(await open([provider(1)]).ask(tcp, never)).toMatchObject({ kind: "unavailable", failOpen: false });
  });
});

describe("a provider of gRPC", () => {
  type Answer = UnaryHandler<CheckRequest, MessageInitShape<typeof CheckResponseSchema>>;

  async function start(check: Answer): Promise<object> {
    const listener: GrpcListener = await serve({
      listen: { host: "127.0.0.1", port: 0 },
      credentials: plaintextCredentials(),
      services: [bindService(Authorization, { check })],
    });
    closers.push(() => listener.drain(0));
    const port = "port" in listener.address ? listener.address.port : 0;
    return { name: "grpc", envoyExtAuthzGrpc: { service: "127.0.0.1", port } };
  }

  test("sees what Envoy would tell it", async () => {
    let seen: CheckRequest | undefined;
    const provider = await start(async (request) => {
      seen = request;
      return { status: { code: 0 } };
    });
    expect(await open([provider]).ask(question("grpc"), never)).toMatchObject({ kind: "allowed" });
    const { attributes } = seen ?? {};
    expect(attributes?.source?.principal).toBe("spiffe://td/ns/foo/sa/web");
    expect(attributes?.contextExtensions).toEqual({ workload: "foo" });
    expect(attributes?.request?.http).toMatchObject({
      method: "POST",
      scheme: "https",
      host: "shop.example",
      path: "/p?q=1",
    });
    expect(attributes?.request?.http?.headers).toEqual({
      authorization: "Bearer t",
      "x-one": "1",
      "x-two": "2,3",
      cookie: "c",
    });
  });

  test("allows with headers set, added and taken away", async () => {
    const provider = await start(async () => ({
      httpResponse: {
        case: "okResponse",
        value: {
          headers: [{ header: { key: "X-Set", value: "é" } }, { header: { key: "x-add", value: "1" }, append: true }],
          headersToRemove: ["Cookie"],
          responseHeadersToAdd: [{ header: { key: "x-down", value: "1" } }],
        },
      },
    }));
    expect(await open([provider]).ask(question("grpc"), never)).toEqual({
      kind: "allowed",
      upstream: {
        remove: ["cookie", "x-set"],
        add: [
          ["x-set", "\u00c3\u00a9"],
          ["x-add", "1"],
        ],
      },
      downstream: [["x-down", "1"]],
    });
  });

  test("changes the path, and nothing else of what is no header", async () => {
    const pairs = [
      [":path", "/new"],
      [":method", "PUT"],
      [":authority", "evil"],
    ] as const;
    const headers = pairs.map(([key, value]) => ({ header: { key, value } }));
    const provider = await start(async () => ({ httpResponse: { case: "okResponse", value: { headers } } }));
    expect(await open([provider]).ask(question("grpc"), never)).toEqual({
      kind: "allowed",
      upstream: { remove: [], add: [], path: "/new" },
      downstream: [],
    });
  });

  test("denies also where it has forgotten the status", async () => {
    const provider = await start(async () => ({ httpResponse: { case: "deniedResponse", value: { body: "no" } } }));
    expect(await open([provider]).ask(question("grpc"), never)).toMatchObject({
      kind: "denied",
      answer: { status: 403, body: "no" },
    });
  });

  test("denies with its own answer, or with 403", async () => {
    const own = await start(async () => ({
      status: { code: 7 },
      httpResponse: {
        case: "deniedResponse",
        value: { status: { code: 404 }, body: "no", headers: [{ header: { key: "x-a", value: "1" } }] },
      },
    }));
    expect(await open([own]).ask(question("grpc"), never)).toEqual({
      kind: "denied",
      answer: { status: 404, body: "no", headers: [["x-a", "1"]] },
    });
    const plain = await start(async () => ({ status: { code: 16 } }));
    expect(await open([plain]).ask(question("grpc"), never)).toEqual({
      kind: "denied",
      answer: { status: 403, body: "", headers: [] },
    });
  });

  test("that fails gave no answer, and neither did one that answers with an error of its own", async () => {
    const failing = await start(async () => {
      throw new Error("broken");
    });
    expect(await open([failing]).ask(question("grpc"), never)).toMatchObject({ kind: "unavailable", failOpen: false });
    const erring = await start(async () => ({ httpResponse: { case: "errorResponse", value: {} } }));
    expect(await open([erring]).ask(question("grpc"), never)).toMatchObject({ kind: "unavailable", failOpen: false });
    expect(failures).toEqual(["grpc false", "grpc false"]);
  });

  test("that never answers is waited for no longer than the limit", async () => {
    const provider = await start(() => new Promise(() => undefined));
    expect(await open([provider], 200).ask(question("grpc"), never)).toMatchObject({ kind: "unavailable" });
  });
});

describe("a provider that cannot be asked", () => {
  test.each([
    ["is not in the mesh config", []],
    ["is invalid", [{ name: "x", envoyExtAuthzGrpc: { service: "a b", port: 1 } }]],
    ["is of another kind", [{ name: "x", prometheus: {} }]],
    ["is there twice", [1, 2].map((port) => ({ name: "x", envoyExtAuthzGrpc: { service: "127.0.0.1", port } }))],
  ])("because it %s denies", async (_, providers) => {
    expect(await open(providers).ask(question("x"), never)).toMatchObject({ kind: "unavailable", failOpen: false });
    expect(failures).toEqual(["x false"]);
  });
});
