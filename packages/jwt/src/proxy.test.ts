import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import type { JwtError } from "./errors.ts";
import { httpGet } from "./http-get.ts";
import { createProxyOf, type ProxySettings } from "./proxy.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const read = (name: string): string => readFileSync(new URL(`./testdata/${name}`, import.meta.url), "utf8");

function serveIssuer(): Promise<number> {
  const material = { cert: read("localhost.pem"), key: read("localhost.key") };
  return listen(
    createTlsServer(material, (request, response) => response.end(request.headers.authorization ?? "none")),
  );
}

/** A proxy that leads every tunnel to one port of this machine, whatever name was asked for. */
async function serveProxy(port: number, seen: string[], answer = "HTTP/1.1 200 OK\r\n\r\n"): Promise<URL> {
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.end("by proxy");
  });
  leadTunnels(server, port, { seen, answer });
  return new URL(`http://127.0.0.1:${await listen(server)}`);
}

function leadTunnels(server: Server, port: number, { seen, answer }: { seen: string[]; answer: string }): void {
  server.on("connect", (request, socket: Duplex) => {
    seen.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"] ?? "anonymous"}`);
    const onward = connect(port, "127.0.0.1", () => {
      socket.write(answer);
      socket.pipe(onward).pipe(socket);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
}

function get(url: string, proxy: URL, changes: object = {}): ReturnType<typeof httpGet> {
  const request = { url: new URL(url), maxBytes: 1000, onlyLoopback: false, caPem: read("ca.pem"), proxy, ...changes };
  return httpGet(request, AbortSignal.timeout(10_000));
}

describe("httpGet through a proxy", () => {
  it("asks for a tunnel, and speaks TLS with the issuer inside it", async () => {
    const seen: string[] = [];
    const proxy = await serveProxy(await serveIssuer(), seen);
    proxy.username = "user";
    proxy.password = "p%40ss";
    const { status, body } = await get("https://localhost/jwks", proxy, { bearerToken: "secret" });
    expect([status, Buffer.from(body).toString()]).toEqual([200, "Bearer secret"]);
    expect(seen).toEqual([`CONNECT localhost:443 Basic ${Buffer.from("user:p@ss").toString("base64")}`]);
  });

  it("does so through a proxy that speaks TLS itself, under the same authorities", async () => {
    const server = createTlsServer({ cert: read("localhost.pem"), key: read("localhost.key") });
    leadTunnels(server, await serveIssuer(), { seen: [], answer: "HTTP/1.1 200 OK\r\n\r\n" });
    const proxy = new URL(`https://localhost:${await listen(server)}`);
    expect((await get("https://localhost/jwks", proxy)).status).toBe(200);
    await expect(get("https://localhost/jwks", proxy, { caPem: undefined })).rejects.toMatchObject({
      code: "fetch-failed",
    });
  });

  it("believes no proxy that leads elsewhere", async () => {
    const proxy = await serveProxy(await serveIssuer(), []);
    const message = expect.stringContaining("altnames");
    await expect(get("https://issuer.example/jwks", proxy)).rejects.toMatchObject({ code: "fetch-failed", message });
    await expect(get("https://localhost/", proxy, { caPem: undefined })).rejects.toMatchObject({
      code: "fetch-failed",
    });
  });

  it.each([
    ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answers with status 407"],
    ["HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}", "sends something before it is asked"],
  ])("refuses a tunnel that begins with %j", async (answer, why) => {
    const proxy = await serveProxy(await serveIssuer(), [], answer);
    const message = expect.stringContaining(why);
    await expect(get("https://localhost/jwks", proxy)).rejects.toMatchObject({ code: "fetch-failed", message });
  });

  it("hands over the whole URL for http, where that is allowed", async () => {
    const seen: string[] = [];
    const proxy = await serveProxy(0, seen);
    const { body } = await get("http://issuer.example/jwks?a=b", proxy);
    expect(Buffer.from(body).toString()).toBe("by proxy");
    expect(seen).toEqual(["GET http://issuer.example/jwks?a=b issuer.example"]);
  });

  it("still goes to no metadata address", async () => {
    const seen: string[] = [];
    const proxy = await serveProxy(0, seen);
    for (const url of ["https://169.254.169.254/", "http://[::ffff:169.254.169.254]/"]) {
      await expect(get(url, proxy)).rejects.toMatchObject({ code: "address-refused" });
    }
    expect(seen).toEqual([]);
  });

  it("gives up a proxy that is silent when its time is over", async () => {
    const silent = createServer();
    silent.on("connect", () => undefined);
    const proxy = new URL(`http://127.0.0.1:${await listen(silent)}`);
    const controller = new AbortController();
    const reason = new Error("deadline");
    const request = { url: new URL("https://localhost/"), maxBytes: 10, onlyLoopback: false, proxy };
    silent.once("connect", () => controller.abort(reason));
    await expect(httpGet(request, controller.signal)).rejects.toBe(reason);
  });
});

describe("createProxyOf", () => {
  const settings: ProxySettings = { httpsProxy: "http://s.example:1", httpProxy: "p.example:2" };

  it.each<[string, string, string | undefined]>([
    ["https://issuer.example/", "", "s.example:1"],
    ["http://issuer.example/", "", "p.example:2"],
    ["https://localhost/", "", undefined],
    ["https://127.0.0.9/", "", undefined],
    ["https://[::1]/", "", undefined],
    ["https://issuer.example/", "*", undefined],
    ["https://issuer.example/", "issuer.example", undefined],
    ["https://ISSUER.example/", "other, Issuer.Example", undefined],
    ["https://a.issuer.example/", "issuer.example", undefined],
    ["https://notissuer.example/", "issuer.example", "s.example:1"],
    ["https://issuer.example/", ".issuer.example", "s.example:1"],
    ["https://a.issuer.example/", ".issuer.example", undefined],
    ["https://a.issuer.example/", "*.issuer.example", undefined],
    ["https://issuer.example/", "issuer.example:443", undefined],
    ["https://issuer.example:8443/", "issuer.example:443", "s.example:1"],
    ["https://10.1.2.3/", "10.0.0.0/8", undefined],
    ["https://10.1.2.3/", "10.1.2.3", undefined],
    ["https://10.1.2.3/", "10.1.2.3:8443", "s.example:1"],
    ["https://11.1.2.3/", "10.0.0.0/8", "s.example:1"],
    ["https://[fd00::1]/", "fd00::/8", undefined],
    ["https://[fd00::1]:8443/", "[fd00::1]:8443", undefined],
    ["https://issuer.example/", "10.0.0.0/8", "s.example:1"],
  ])("%s, without for %j: %s", (url, noProxy, expected) => {
    expect(createProxyOf({ ...settings, noProxy })(new URL(url))?.host).toBe(expected);
  });

  it("knows no proxy unless it is given one", () => {
    expect(createProxyOf()(new URL("https://issuer.example/"))).toBeUndefined();
    expect(createProxyOf({ httpsProxy: "" })(new URL("https://issuer.example/"))).toBeUndefined();
  });

  it.each(["socks5://p.example", "http://"])("refuses %j, and does not show it", (httpsProxy) => {
    try {
      createProxyOf({ httpsProxy });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "proxy-invalid" } satisfies Partial<JwtError>);
      expect(String(error)).not.toContain("p.example");
    }
  });
});
