import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { testIssuer } from "@signet/jwt/testing";
import { fakeLogger } from "@signet/runtime/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLoginGateway } from "../../../deploy/examples/oidc-login/open-login-gateway.ts";
import { safeReturnTo } from "../../../deploy/examples/oidc-login/return-to.ts";
import { createBrowser } from "./browser.ts";

const shop = "http://shop.example";

/** A provider that does as it is told; a real one would do none of this. */
let server: Server;
let issuer: string;
let metadata: object = {};
let answer: (nonce: string) => { readonly status?: number; readonly body: string } = () => ({ body: "{}" });
let nonce = "";
const stop = new AbortController();
const ended: Promise<void>[] = [];

function signer(alg: "ES256" | "EdDSA" = "ES256", kid = "k1") {
  return testIssuer({ issuer, alg, kid });
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path === "/.well-known/openid-configuration")
      return void response.end(JSON.stringify({ ...usual(), ...metadata }));
    if (path === "/jwks") return void response.end(signer().jwks);
    const { status = 200, body } = answer(nonce);
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  stop.abort();
  await Promise.all(ended);
  await server[Symbol.asyncDispose]();
});

function usual(): object {
  return {
    issuer,
    ...{ authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` },
    code_challenge_methods_supported: ["S256"],
  };
}

async function openShop(): Promise<string> {
  const places = { publicUrl: new URL(shop), listen: "127.0.0.1:0", upstream: new URL("http://127.0.0.1:9") };
  const client = { issuer, clientId: "shop", clientSecret: undefined };
  const { url, tasks } = await openLoginGateway({ ...client, ...places }, { logger: fakeLogger() });
  for (const task of tasks) ended.push(task.run(stop.signal).catch(() => undefined));
  return url;
}

/** The status of a callback for which the provider answers so, and whether there is a session then. */
async function logIn(answered: typeof answer): Promise<{ readonly status: number; readonly session: boolean }> {
  answer = answered;
  const browser = createBrowser({ [shop]: url });
  const asked = new URL((await browser.open(`${shop}/login`, { stopAt: () => true })).url);
  nonce = asked.searchParams.get("nonce") ?? "";
  const { status } = await browser.open(`${shop}/callback?code=c&state=${asked.searchParams.get("state")}`, {
    stopAt: () => true,
  });
  return { status, session: browser.cookies.get(shop)?.has("session") === true };
}

let url: string;

describe("a provider's answer", () => {
  beforeAll(async () => {
    metadata = {};
    url = await openShop();
  });

  const good = (claims: object = {}, by = signer()) =>
    JSON.stringify({ id_token: by.sign({ aud: "shop", nonce, ...claims }) });

  test("logs in when all of it is right", async () => {
    expect(await logIn(() => ({ body: good() }))).toEqual({ status: 303, session: true });
    expect(await logIn(() => ({ body: good({ aud: ["shop", "bank"], azp: "shop" }) }))).toEqual({
      status: 303,
      session: true,
    });
  });

  test.each([
    ["a token of another login", () => ({ body: good({ nonce: "another" }) })],
    ["a token without a nonce", () => ({ body: good({ nonce: undefined }) })],
    ["a token for another client", () => ({ body: good({ aud: "bank" }) })],
    ["a token for several clients, issued to another", () => ({ body: good({ aud: ["shop", "bank"], azp: "bank" }) })],
    ["a token for several clients, issued to nobody", () => ({ body: good({ aud: ["shop", "bank"] }) })],
    ["a token of another issuer", () => ({ body: good({ iss: "https://evil.example" }) })],
    ["a token that has expired", () => ({ body: good({ exp: 1 }) })],
    ["a token that never expires", () => ({ body: good({ exp: undefined }) })],
    ["a token by another key", () => ({ body: good({}, signer("ES256", "k2")) })],
    ["a token by a key of another kind", () => ({ body: good({}, signer("EdDSA")) })],
    [
      "a token without a signature",
      () => ({
        body: JSON.stringify({ id_token: `${JSON.parse(good()).id_token.split(".").slice(0, 2).join(".")}.` }),
      }),
    ],
    ["no token", () => ({ body: "{}" })],
    ["a token that is no text", () => ({ body: '{"id_token": 7}' })],
    ["no JSON", () => ({ body: "<html>" })],
    ["a list", () => ({ body: "[]" })],
    ["an error", () => ({ status: 400, body: '{"error": "invalid_grant"}' })],
    ["a redirect", () => ({ status: 302, body: good() })],
    ["more than anybody reads", () => ({ body: `{"id_token": "${"a".repeat(70_000)}"}` })],
  ])("logs nobody in with %s", async (_what, answered) => {
    expect(await logIn(answered)).toEqual({ status: 403, session: false });
  });
});

describe("a provider's metadata", () => {
  test.each([
    ["PKCE", { code_challenge_methods_supported: undefined }],
    ["PKCE with S256", { code_challenge_methods_supported: ["plain"] }],
    ["its own name", { issuer: "https://evil.example" }],
    ["a token endpoint", { token_endpoint: undefined }],
    ["a token endpoint that is a URL", { token_endpoint: "/token" }],
    ["an authorization endpoint that is a web page", { authorization_endpoint: "javascript:alert(1)" }],
  ])("must have %s, or the gateway does not start", async (_what, spoilt) => {
    metadata = spoilt;
    await expect(openShop()).rejects.toThrow();
  });
});

test("whatever is asked for, a browser stays at the origin", () => {
  const origin = new URL(shop);
  const piece = fc.constantFrom(
    "/",
    "\\",
    "//",
    "..",
    ".",
    "@",
    "evil.example",
    ":",
    "?",
    "#",
    "\t",
    "\n",
    "%2f",
    "%5c",
    "http:",
    "a",
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (wanted) => {
      const path = safeReturnTo(wanted, origin);
      expect(new URL(path, origin).origin).toBe(origin.origin);
      expect(path).toMatch(/^\/(?![/\\])/);
    }),
    { seed: 5, numRuns: 2_000 },
  );
});
