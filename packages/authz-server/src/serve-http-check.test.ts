import { connect } from "node:net";
import type { AttributedRequest, AuthorizationResult } from "@signet/authorizer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckOutcome } from "./check.ts";
import { type HttpCheckServer, serveHttpCheck } from "./serve-http-check.ts";

const allowed: AuthorizationResult = {
  effect: "allow",
  reason: "no-policy",
  audit: [],
  shadow: {},
  upstream: { remove: [], add: [] },
  downstream: [],
};

let server: HttpCheckServer;
let seen: AttributedRequest[];
let outcome: CheckOutcome;

beforeEach(async () => {
  seen = [];
  outcome = { kind: "decided", result: allowed };
  server = await serveHttpCheck({ host: "127.0.0.1", port: 0 }, async (request) => {
    seen.push(request);
    return outcome;
  });
});

afterEach(async () => {
  await server.close(0);
});

/** Sends these octets and returns the whole answer. */
function send(octets: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.address.port, "127.0.0.1", () =>
      socket.write(octets.replaceAll("\n", "\r\n"), "latin1"),
    );
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.once("end", () => resolve(answer)).once("error", reject);
  });
}

const get = (path: string, headers = ""): string =>
  `GET ${path} HTTP/1.1\nhost: shop.example\nconnection: close\n${headers}\n`;

describe("a question over HTTP", () => {
  test("is the request itself, with what Envoy says of peer, client and workload", async () => {
    await send(
      get(
        "/p?a=1",
        "X-Tag: 1\nx-tag: 2\nx-forwarded-proto: https\nx-forwarded-for: 192.0.2.1, 10.0.0.7\nx-signet-workload: foo/app=a\n" +
          "x-forwarded-client-cert: By=spiffe://td/ns/foo/sa/evil;URI=spiffe://td/ns/x/sa/y,By=spiffe://td/a;Hash=1;URI=spiffe://td/ns/foo/sa/web\n",
      ),
    );
    expect(seen[0]).toEqual({
      method: "GET",
      scheme: "https",
      host: "shop.example",
      path: "/p?a=1",
      headers: [
        ["host", "shop.example"],
        ["connection", "close"],
        ["X-Tag", "1"],
        ["x-tag", "2"],
        ["x-forwarded-proto", "https"],
        ["x-forwarded-for", "192.0.2.1, 10.0.0.7"],
      ],
      source: { principal: "spiffe://td/ns/foo/sa/web", address: "10.0.0.7" },
      destination: {},
      filterMetadata: {},
      contextExtensions: new Map([["workload", "foo/app=a"]]),
    });
  });

  test.each([
    ["none", "By=spiffe://td/a;Hash=1"],
    ["two", "URI=spiffe://td/a;URI=spiffe://td/b"],
    ["one in quotes", 'URI="spiffe://td/a"'],
    ["one in an earlier element alone", "URI=spiffe://td/a,Hash=1"],
    ["an empty one", "URI="],
    ["one in its subject", 'Subject="CN=a,;URI=spiffe://td/b;x"'],
    ["one in a subject that does not end", 'Hash=1;Subject="CN=a,;URI=spiffe://td/b'],
    ["one behind an escaped quote", 'Subject="CN=\\",;URI=spiffe://td/b;x"'],
  ])("has no peer where its certificate names %s", async (_, header) => {
    await send(get("/", `x-forwarded-client-cert: ${header}\n`));
    expect(seen[0]?.source).toEqual({});
  });

  test("has a peer whose certificate has a subject with commas and semicolons", async () => {
    await send(get("/", 'x-forwarded-client-cert: Hash=1;Subject="CN=a,O=b;URI=spiffe://td/b";URI=spiffe://td/a\n'));
    expect(seen[0]?.source).toEqual({ principal: "spiffe://td/a" });
  });

  test("may have a body, which is nobody's concern", async () => {
    await send("POST / HTTP/1.1\nhost: a\nconnection: close\ncontent-length: 5\n\nhello");
    expect(seen[0]?.method).toBe("POST");
  });
});

describe("the answer", () => {
  test("lets through with what changes", async () => {
    outcome = {
      kind: "decided",
      result: {
        ...allowed,
        upstream: {
          remove: ["authorization", "x-user"],
          add: [
            ["x-user", "alice"],
            ["x-a", "1"],
            ["x-a", "2"],
          ],
        },
        downstream: [["x-down", "1"]],
      },
    };
    const answer = await send(get("/"));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    for (const line of [
      "x-user: alice",
      "x-a: 1",
      "x-a: 2",
      "x-down: 1",
      "x-envoy-auth-headers-to-remove: authorization",
    ]) {
      expect(answer).toContain(`\r\n${line}\r\n`);
    }
  });

  test("refuses with status, headers and body", async () => {
    const refusal = { status: 401, body: "Jwt is expired", headers: [["www-authenticate", "Bearer"] as const] };
    outcome = { kind: "decided", result: { ...allowed, effect: "deny", reason: "jwt-rejected", answer: refusal } };
    const answer = await send(get("/"));
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain("\r\nwww-authenticate: Bearer\r\n");
    expect(answer).toContain("Jwt is expired");
  });

  test.each<[CheckOutcome, number]>([
    [{ kind: "workload-unknown" }, 403],
    [{ kind: "failed", onFailure: "deny" }, 403],
    [{ kind: "failed", onFailure: "error" }, 503],
    [{ kind: "failed", onFailure: "allow" }, 200],
  ])("to %j is %i", async (failed, status) => {
    outcome = failed;
    expect(await send(get("/"))).toContain(`HTTP/1.1 ${status} `);
  });

  // Envoy takes 200 for a yes and 5xx for a failure of the server's, which `failure_mode_allow` lets through.
  test.each([200, 204, 101, 503, 599, 0, 1_000])(
    "to a denied request never is a yes or a failure: %i",
    async (status) => {
      const answer = { status, body: "no", headers: [] };
      outcome = { kind: "decided", result: { ...allowed, effect: "deny", reason: "custom-denied", answer } };
      expect(await send(get("/"))).toMatch(/^HTTP\/1\.1 403 /);
    },
  );

  test("to CONNECT is a refusal", async () => {
    const answer = await send("CONNECT shop.example:443 HTTP/1.1\nhost: shop.example\n\n");
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(seen).toEqual([]);
  });

  test("that cannot be written is a refusal", async () => {
    const answer = { status: 403, body: "no", headers: [["x-a", "1\n2"] as const] };
    outcome = { kind: "decided", result: { ...allowed, effect: "deny", reason: "custom-denied", answer } };
    expect(await send(get("/"))).toMatch(/^HTTP\/1\.1 403 /);
  });
});
