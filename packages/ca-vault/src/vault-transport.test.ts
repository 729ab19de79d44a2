import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { RuntimeError } from "@signet/runtime";
import { certificatePem, privateKeyPem, type SubjectAltName } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createVaultTransport, type VaultTransport } from "./vault-transport.ts";

const never = new AbortController().signal;
const limits = { maxSockets: 2, maxResponseBytes: 1000 };

let authority: TestCa;
let server: Server;
let transport: VaultTransport;
let answer: RequestListener;
let connections: number;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  authority = await testRoot({ trustDomain: "vault" });
});

beforeEach(async () => {
  connections = 0;
  answer = (_, response) => response.end("ok");
  server = await serve(authority);
  server.on("secureConnection", () => {
    connections += 1;
  });
  transport = createVaultTransport({ ca: authority.pem }, limits);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  transport.close();
  for (const end of ends.splice(0)) await end();
});

async function serve(issuer: TestCa, name: SubjectAltName = { kind: "ip", value: "127.0.0.1" }): Promise<Server> {
  const leaf = await testLeaf(issuer, { subjectAltNames: [name] });
  const cert = leaf.chain.map(certificatePem).join("");
  const started = createServer({ cert, key: privateKeyPem(leaf.key, "pkcs8") }, (request, response) =>
    answer(request, response),
  );
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  ends.push(async () => {
    started.closeAllConnections();
    await new Promise((resolve) => started.close(resolve));
  });
  return started;
}

function urlOf(of: Pick<Server, "address"> = server, path = "/v1/pki"): string {
  return `https://127.0.0.1:${(of.address() as AddressInfo).port}${path}`;
}

function get(url = urlOf(), signal = never): ReturnType<VaultTransport["send"]> {
  return transport.send({ method: "GET", url, headers: {} }, signal);
}

describe("createVaultTransport", () => {
  it("sends method, headers and body, and returns status, headers and body", async () => {
    answer = (request, response) => {
      request.setEncoding("utf8").on("data", (text) => {
        response
          .writeHead(418, { "Retry-After": "7" })
          .end(`${request.method} ${request.headers["x-vault-token"]} ${text}`);
      });
    };
    const headers = { "X-Vault-Token": "t" };
    const response = await transport.send({ method: "POST", url: urlOf(), headers, body: "hello" }, never);
    expect(response).toMatchObject({ status: 418, body: "POST t hello" });
    expect(response.headers["retry-after"]).toBe("7");
  });

  it("uses a connection again, and no more at a time than it may", async () => {
    for (let time = 0; time < 3; time += 1) await get();
    expect(connections).toBe(1);
    await Promise.all(Array.from({ length: 8 }, () => get()));
    expect(connections).toBe(2);
  });

  it("asks again on a new connection when the server has closed the kept one", async () => {
    let calls = 0;
    await get();
    answer = (request, response) => {
      calls += 1;
      // Before any answer, as when a server closes what was idle for too long.
      if (calls === 1) request.socket.destroy();
      else response.end("again");
    };
    expect((await get()).body).toBe("again");
    expect([calls, connections]).toEqual([2, 2]);
  });

  it("uses no idle connection again when a deadline has passed on a kept one, and keeps them when a caller went away", async () => {
    let held = 0;
    async function cutBy(reason: Error): Promise<void> {
      // Two connections, one idle while the other is without a word.
      answer = (_, response) => setImmediate(() => response.end("ok"));
      await Promise.all([get(), get()]);
      answer = () => {
        held += 1;
      };
      const cut = new AbortController();
      const waiting = get(urlOf(), cut.signal);
      await vi.waitUntil(() => held === 1);
      cut.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      held = 0;
      answer = (_, response) => response.end("ok");
      await get();
    }
    await cutBy(new Error("the caller went away"));
    expect(connections).toBe(2);
    await cutBy(new RuntimeError("deadline-exceeded", "a signature took longer than 5s"));
    expect(connections).toBe(4);
  });

  it("says that a connection has ended, when that was a new one or had begun to answer", async () => {
    answer = (request) => request.socket.destroy();
    await expect(get()).rejects.toMatchObject({ code: "unreachable" });
    answer = (_, response) => {
      response.writeHead(200, { "Content-Length": "10" });
      response.write("five!", () => response.socket?.destroy());
    };
    await expect(get()).rejects.toMatchObject({ code: "unreachable" });
  });

  it("says that there is nobody", async () => {
    const url = urlOf();
    await ends.pop()?.();
    await expect(get(url)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("reads no more than it may", async () => {
    answer = (_, response) => response.end("x".repeat(1000));
    expect((await get()).body).toHaveLength(1000);
    answer = (_, response) => response.end("x".repeat(1001));
    await expect(get()).rejects.toMatchObject({ code: "response-too-large" });
  });

  it("ends with the reason of the signal, before, while it waits and while it reads", async () => {
    const reason = new Error("went away");
    await expect(get(urlOf(), AbortSignal.abort(reason))).rejects.toBe(reason);
    for (const begin of [false, true]) {
      const leaving = new AbortController();
      answer = (_, response) => {
        if (begin) response.write("x");
        leaving.abort(reason);
      };
      await expect(get(urlOf(), leaving.signal)).rejects.toBe(reason);
    }
  });
});

describe("the server's certificate", () => {
  it.each([
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
    ["VAULT_SKIP_VERIFY", "true"],
  ])("is verified also with %s=%s", async (name, value) => {
    vi.stubEnv(name, value);
    const other = await serve(await testRoot({ trustDomain: "vault" }));
    await expect(get(urlOf(other))).rejects.toMatchObject({ code: "tls-failed" });
  });

  it("has to be for the host of the address", async () => {
    const other = await serve(authority, { kind: "ip", value: "10.0.0.1" });
    await expect(get(urlOf(other))).rejects.toMatchObject({ code: "tls-failed" });
  });

  it("is verified by the authorities that come with Node where none are given", async () => {
    transport = createVaultTransport({}, limits);
    await expect(get()).rejects.toMatchObject({ code: "tls-failed" });
  });

  it("is verified by other authorities from when they are given on", async () => {
    await get();
    transport.useTls({ ca: (await testRoot()).pem });
    await expect(get()).rejects.toMatchObject({ code: "tls-failed" });
    transport.useTls({ ca: authority.pem });
    expect((await get()).body).toBe("ok");
  });

  it("is none over plain http", async () => {
    const plain = createHttpServer((_, response) => response.end("plain"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    ends.push(async () => {
      plain.closeAllConnections();
      await new Promise((resolve) => plain.close(resolve));
    });
    expect((await get(urlOf(plain).replace("https", "http"))).body).toBe("plain");
    await expect(get(urlOf(plain))).rejects.toMatchObject({ code: "tls-failed" });
  });
});

describe("a redirect", () => {
  function redirectTo(location: string | undefined, status = 307): void {
    const first = server.address();
    const other = answer;
    answer = (request, response) => {
      const here = request.socket.localPort === (first as AddressInfo).port;
      if (!here) return other(request, response);
      response.writeHead(status, location === undefined ? {} : { location }).end();
    };
  }

  it.each([307, 308])("by %i is followed to the active node, with token and body", async (status) => {
    const active = await serve(authority);
    answer = (request, response) => {
      request.setEncoding("utf8").on("data", (text) => response.end(`${request.headers["x-vault-token"]} ${text}`));
    };
    redirectTo(urlOf(active), status);
    const request = { method: "POST", url: urlOf(), headers: { "X-Vault-Token": "t" }, body: "csr" };
    expect((await transport.send(request, never)).body).toBe("t csr");
  });

  it("is not followed to a server of other authorities", async () => {
    const stranger = await serve(await testRoot({ trustDomain: "vault" }));
    let asked = false;
    answer = (_, response) => {
      asked = true;
      response.end();
    };
    redirectTo(urlOf(stranger));
    await expect(get()).rejects.toMatchObject({ code: "tls-failed" });
    expect(asked).toBe(false);
  });

  it.each<[string, string | undefined]>([
    ["plain http", "http://127.0.0.1:1/v1/pki"],
    ["another path", "/v1/sys/raw"],
    ["a query", "/v1/pki?list=1"],
    ["credentials", "https://me:secret@127.0.0.1/v1/pki"],
    ["a file", "file:///v1/pki"],
    ["nowhere", undefined],
    ["no URL", "https://["],
  ])("is not followed to %s", async (_, location) => {
    redirectTo(location);
    await expect(get()).rejects.toMatchObject({ code: "redirect-refused" });
  });

  it("is followed once", async () => {
    redirectTo(urlOf());
    await expect(get()).rejects.toMatchObject({ code: "redirect-refused", message: expect.stringContaining("second") });
  });

  it.each([301, 302, 303])("by %i is an answer like any other", async (status) => {
    redirectTo(urlOf(), status);
    expect((await get()).status).toBe(status);
  });
});
