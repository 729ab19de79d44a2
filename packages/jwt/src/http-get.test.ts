import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { guardedLookup, type HttpGetRequest, httpGet, httpGetWith, type Resolve } from "./http-get.ts";

const signal = new AbortController().signal;
const servers: Server[] = [];

async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(listener: RequestListener): Promise<URL> {
  return new URL(`http://127.0.0.1:${await listen(createServer(listener))}/jwks?token=secret`);
}

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

function get(url: URL, changes: Partial<HttpGetRequest> = {}): ReturnType<typeof httpGet> {
  return httpGet({ url, maxBytes: 1000, onlyLoopback: true, ...changes }, signal);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof JwtError) return error.code;
    throw error;
  }
}

describe("httpGet", () => {
  it("fetches a document, and sends nothing that was not asked for", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers.authorization, request.headers.cookie]);
      response.end("\u00e9".repeat(500));
    });
    const { status, body } = await get(url);
    expect([status, Buffer.from(body).toString()]).toEqual([200, "\u00e9".repeat(500)]);
    expect(seen).toEqual([["GET", "/jwks?token=secret", undefined, undefined]]);
  });

  it.each([301, 302, 303, 307, 308])("returns redirect %d instead of following it", async (status) => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.writeHead(status, { location: "/elsewhere" }).end();
    });
    expect((await get(url)).status).toBe(status);
    expect(requests).toBe(1);
  });

  it.each<[string, RequestListener, string]>([
    ["one byte too many", (_, response) => response.end("a".repeat(1001)), "response-too-large"],
    ["a stream without end", streamForever, "response-too-large"],
    ["a connection closed before the answer", (request) => request.socket.destroy(), "fetch-failed"],
    [
      "a connection closed within the answer",
      (_, response) => {
        response.writeHead(200, { "content-length": 100 });
        response.write("half", () => response.destroy());
      },
      "fetch-failed",
    ],
    ["something that is not HTTP", (request) => request.socket.end("SSH-2.0-OpenSSH\r\n\r\n"), "fetch-failed"],
    [
      "compression nobody asked for",
      (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("a".repeat(100_000))),
      "fetch-failed",
    ],
    [
      "headers without end",
      (_, response) => response.writeHead(200, { "x-long": "a".repeat(100_000) }).end("{}"),
      "fetch-failed",
    ],
  ])("refuses %s", async (_, listener, code) => {
    expect(await codeOf(get(await serve(listener)))).toBe(code);
  });

  it("names the URL without its query when nobody listens", async () => {
    const url = await serve(() => undefined);
    servers[0]?.close();
    servers.length = 0;
    await expect(get(url)).rejects.toMatchObject({
      code: "fetch-failed",
      message: expect.stringMatching(/^cannot fetch "http:\/\/127\.0\.0\.1:\d+\/jwks": connect ECONNREFUSED/),
    });
  });

  it("rejects with the reason of its signal, before the answer and within it", async () => {
    for (const start of ["", "half"]) {
      const reason = new Error("deadline");
      const controller = new AbortController();
      const url = await serve((_, response) => {
        if (start !== "") response.writeHead(200).write(start);
        setImmediate(() => controller.abort(reason));
      });
      await expect(httpGet({ url, maxBytes: 1000, onlyLoopback: true }, controller.signal)).rejects.toBe(reason);
    }
  });

  it.each(["http://169.254.169.254/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"])(
    "never goes to %s",
    async (url) => {
      expect(await codeOf(get(new URL(url), { onlyLoopback: false }))).toBe("address-refused");
    },
  );

  it("keeps to this machine when told to", async () => {
    expect(await codeOf(get(new URL("http://192.0.2.1/")))).toBe("address-refused");
  });
});

describe("httpGet by name", () => {
  const resolveTo =
    (address: string): Resolve =>
    (_, __, callback) =>
      callback(null, [{ address, family: 4 }]);

  it("connects to what the name resolves to", async () => {
    const { port } = await serve((_, response) => response.end("{}"));
    const url = new URL(`http://issuer.example:${port}/`);
    const { status } = await httpGetWith(resolveTo("127.0.0.1"), { url, maxBytes: 10, onlyLoopback: true }, signal);
    expect(status).toBe(200);
  });

  it.each(["169.254.169.254", "192.0.2.1"])("never connects to %s, whatever the name", async (address) => {
    const request = { url: new URL("http://issuer.example/"), maxBytes: 10, onlyLoopback: true };
    expect(await codeOf(httpGetWith(resolveTo(address), request, signal))).toBe("address-refused");
  });
});

function streamForever(_: unknown, response: { write(chunk: string): boolean; destroyed: boolean }): void {
  if (response.destroyed) return;
  response.write("a".repeat(100));
  setImmediate(streamForever, _, response);
}

describe("httpGet over TLS", () => {
  const read = (name: string): string => readFileSync(new URL(`./testdata/${name}`, import.meta.url), "utf8");
  const serveTls = (host?: string): Promise<number> => {
    const material = { cert: read("localhost.pem"), key: read("localhost.key") };
    return listen(
      createTlsServer(material, (_, response) => response.end("{}")),
      host,
    );
  };

  it("trusts the given CA", async () => {
    const url = new URL(`https://localhost:${await serveTls()}/`);
    expect((await get(url, { caPem: read("ca.pem") })).status).toBe(200);
  });

  it("trusts nobody else, whatever the environment says", async () => {
    const url = new URL(`https://localhost:${await serveTls()}/`);
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      await expect(get(url)).rejects.toMatchObject({
        code: "fetch-failed",
        message: expect.stringContaining("verify"),
      });
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  it("compares the name", async () => {
    const url = new URL(`https://127.0.0.2:${await serveTls("127.0.0.2")}/`);
    const message = expect.stringContaining("altnames");
    await expect(get(url, { caPem: read("ca.pem") })).rejects.toMatchObject({ code: "fetch-failed", message });
  });
});

describe("guardedLookup", () => {
  const answer =
    (...addresses: readonly string[]): Resolve =>
    (_, __, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );

  function look(resolve: Resolve, onlyLoopback: boolean): Promise<string> {
    return new Promise((done) => {
      guardedLookup({ onlyLoopback }, resolve)("issuer.example", { all: true }, (error, addresses) => {
        done(error instanceof JwtError ? error.code : JSON.stringify(addresses));
      });
    });
  }

  it.each([
    ["a metadata address", ["169.254.169.254"], false, "address-refused"],
    ["a metadata address behind a good one", ["192.0.2.1", "169.254.169.254"], false, "address-refused"],
    ["a metadata address mapped into IPv6", ["::ffff:a9fe:a9fe"], false, "address-refused"],
    ["a link-local address", ["fe80::1"], false, "address-refused"],
    ["another machine", ["192.0.2.1"], true, "address-refused"],
    ["this machine and another", ["127.0.0.1", "192.0.2.1"], true, "address-refused"],
    ["nothing", [], false, "fetch-failed"],
    ["another machine", ["192.0.2.1"], false, '[{"address":"192.0.2.1","family":4}]'],
    ["this machine", ["::1"], true, '[{"address":"::1","family":6}]'],
  ])("on a name that resolves to %s (%j, only this machine: %s)", async (_, addresses, onlyLoopback, expected) => {
    expect(await look(answer(...addresses), onlyLoopback)).toBe(expected);
  });

  it("answers a caller who wants one address", async () => {
    const one = new Promise((done) => {
      const lookup = guardedLookup({ onlyLoopback: false }, answer("192.0.2.1", "192.0.2.2"));
      lookup("issuer.example", {}, (error, address, family) => done([error, address, family]));
    });
    expect(await one).toEqual([null, "192.0.2.1", 4]);
  });

  it("passes on that a name does not exist", async () => {
    const failure = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
    const error = new Promise((done) => {
      guardedLookup({ onlyLoopback: false }, (_, __, callback) => callback(failure, []))("x", { all: true }, done);
    });
    expect(await error).toBe(failure);
  });
});
