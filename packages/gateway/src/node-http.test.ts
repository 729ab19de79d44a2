import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { createGateway } from "./gateway.ts";
import type { FailedEvent } from "./gateway-events.ts";
import { requestListener, type UpgradeHandler, upgradeListener } from "./node-http.ts";
import type { AuthenticationResult } from "./request-authenticator.ts";

const anonymous: AuthenticationResult = { kind: "anonymous", upstream: { remove: ["x-user"], add: [] } };
const rejected: AuthenticationResult = {
  ...{ kind: "rejected", code: "token-expired", status: 401, body: "Jwt is expired" },
  wwwAuthenticate: 'Bearer realm="x"',
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** What a server answers to an upgrade, all of it. */
async function upgrade(
  result: AuthenticationResult,
  handler: UpgradeHandler<unknown>,
  failures: FailedEvent[] = [],
): Promise<string> {
  const gateway = createGateway({
    authenticator: { authenticate: async () => result },
    events: { failed: (event) => void failures.push(event) },
  });
  const server = createServer(requestListener(gateway, (_request, response) => void response.end("no upgrade")));
  server.on("upgrade", upgradeListener(gateway, handler));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server[Symbol.asyncDispose]());
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const lines = [
    "GET /live HTTP/1.1",
    "host: shop.example",
    "connection: upgrade",
    "upgrade: websocket",
    "x-user: root",
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return await text(socket);
}

describe("upgradeListener", () => {
  test("lets an upgrade through with who it is from, and without what the client made up", async () => {
    const answer = await upgrade(anonymous, (request, { socket, auth }) => {
      socket.end(`${auth.kind} ${request.url} ${request.headers["x-user"]}`);
    });
    expect(answer).toBe("anonymous /live undefined");
  });

  test("answers an upgrade that is refused, and ends its connection", async () => {
    const answer = await upgrade(rejected, () => expect.unreachable());
    expect(answer).toBe(
      'HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm="x"\r\ncontent-type: text/plain\r\n' +
        "content-length: 14\r\nconnection: close\r\n\r\nJwt is expired",
    );
  });

  test("writes no header that would be two", async () => {
    const failures: FailedEvent[] = [];
    const hostile = { ...rejected, wwwAuthenticate: "Bearer\r\nset-cookie: a=b" };
    expect(await upgrade(hostile, () => expect.unreachable(), failures)).toBe("");
    expect(failures).toMatchObject([{ what: "handler" }]);
  });

  test("cuts the connection when the handler throws", async () => {
    const failures: FailedEvent[] = [];
    const answer = await upgrade(anonymous, () => Promise.reject(new Error("broken")), failures).catch(String);
    expect(answer).not.toContain("HTTP");
    expect(failures).toMatchObject([{ what: "handler" }]);
  });
});

describe("requestListener", () => {
  test("cuts an answer that had begun when the handler threw", async () => {
    const gateway = createGateway({ authenticator: { authenticate: async () => anonymous }, events: { failed() {} } });
    const server = createServer(
      requestListener(gateway, (_request, response) => {
        response.setHeader("content-length", "100").write("half");
        throw new Error("broken");
      }),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => server[Symbol.asyncDispose]());
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      .then((response) => response.text())
      .catch(String);
    expect(answer).toContain("TypeError");
  });
});
