import { once } from "node:events";
import {
  type AuthenticatorOption,
  createGateway,
  type FailedEvent,
  type GatewayOptions,
  type GatewayRequest,
  type JsonObject,
} from "@signet/gateway";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, describe, expect, test } from "vitest";
import type { AdapterUnderTest, Application, RunningServer, SeenRequest, ShopClaims } from "./adapter-under-test.ts";
import { allAdapters } from "./all-adapters.ts";
import { fetchAlone } from "./fetch-adapters.ts";
import { forgedToken, shopAuthenticator, tokenFor } from "./shop-rules.ts";

function shopClaims({ tenant }: JsonObject): ShopClaims {
  if (typeof tenant !== "string") throw new Error("no tenant");
  return { tenant };
}

type Guarded = RunningServer & {
  readonly seen: SeenRequest[];
  readonly failures: FailedEvent[];
  readonly refusals: string[];
};

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

type Case = Partial<GatewayOptions<ShopClaims> & AuthenticatorOption> & { readonly application?: Application };

async function guard(adapter: AdapterUnderTest, { application, ...options }: Case = {}): Promise<Guarded> {
  const seen: SeenRequest[] = [];
  const failures: FailedEvent[] = [];
  const refusals: string[] = [];
  const gateway = createGateway<ShopClaims>({
    authenticator: shopAuthenticator(),
    claims: shopClaims,
    events: { failed: (event) => void failures.push(event), refused: ({ code }) => void refusals.push(code) },
    ...options,
  });
  const server = await adapter.start(gateway, (request) => {
    seen.push(request);
    application?.(request);
  });
  running.push(server);
  const { root = "" } = adapter;
  const send: RunningServer["send"] = (request) => server.send({ ...request, path: request.path ?? `${root}/` });
  return { ...server, send, seen, failures, refusals };
}

const bearer = (token: string): readonly [string, string] => ["authorization", `Bearer ${token}`];

/** An authenticator that answers when it is told to, and says when it was asked. */
function slowAuthenticator() {
  const asked = Promise.withResolvers<{ readonly request: GatewayRequest; readonly signal: AbortSignal }>();
  const gate = Promise.withResolvers<never>();
  return {
    asked: asked.promise,
    authenticate: (request: GatewayRequest, signal: AbortSignal) => {
      asked.resolve({ request, signal });
      signal.addEventListener("abort", () => gate.reject(signal.reason), { once: true });
      return gate.promise;
    },
  };
}

describe.each(allAdapters)("a gateway on $name", (adapter) => {
  const { lacks = {}, root = "" } = adapter;

  test("lets a good token through, with who it is, typed claims and headers", async () => {
    const { send, seen } = await guard(adapter);
    const token = tokenFor();
    const answer = await send({ headers: [bearer(token)] });
    expect(answer.status).toBe(200);
    const [request] = seen;
    expect(request?.auth).toMatchObject({
      kind: "authenticated",
      principal: "https://issuer.example/alice",
      issuer: "https://issuer.example",
      claims: { tenant: "acme" },
      payload: { sub: "alice", scope: ["read", "write"] },
    });
    expect(request?.conventional).toBe(request?.auth);
    expect(request?.headers.get("x-user")).toBe("alice");
    expect(request?.headers.get("x-tenant")).toBe("acme");
    expect(request?.headers.get("x-payload")).toBe(token.split(".")[1]);
    expect(request?.headers.has("authorization")).toBe(false);
  });

  test("lets a request without a token through as nobody", async () => {
    const { send, seen } = await guard(adapter);
    expect((await send({})).status).toBe(200);
    expect(seen[0]?.auth).toEqual({ kind: "anonymous" });
  });

  test("forwards the token where the rule says so", async () => {
    const { send, seen } = await guard(adapter, { authenticator: shopAuthenticator({ forwardOriginalToken: true }) });
    const token = tokenFor();
    expect((await send({ headers: [bearer(token)] })).status).toBe(200);
    expect(seen[0]?.headers.get("authorization")).toBe(`Bearer ${token}`);
  });

  test.each([
    ["expired", () => tokenFor({ exp: 1 }), 401, "Jwt is expired"],
    ["forged", forgedToken, 401, "Jwt verification fails"],
    ["of another issuer", () => tokenFor({ iss: "https://other.example" }), 401, "Jwt issuer is not configured"],
    ["for another audience", () => tokenFor({ aud: ["bank"] }), 403, "Audiences in Jwt are not allowed"],
    ["without the claims of this application", () => tokenFor({ tenant: 7 }), 403, "Claims in Jwt are not allowed"],
    [
      "no token at all",
      () => "opaque",
      401,
      "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    ],
  ])("answers a token that is %s", async (_what, token, status, body) => {
    const { send, seen, refusals } = await guard(adapter);
    const answer = await send({ headers: [bearer(token())] });
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body });
    expect(seen).toEqual([]);
    expect(refusals).toHaveLength(1);
  });

  test.skipIf(adapter.name === "grpc-js")(
    "challenges for another token (skipped in grpc-js: there is no such header)",
    async () => {
      const { send } = await guard(adapter);
      const { headers } = await send({ headers: [bearer(tokenFor({ exp: 1 }))] });
      expect(headers.get("www-authenticate")).toMatch(
        /^Bearer realm="http:\/\/shop\.example\/.*", error="invalid_token"$/,
      );
      if (adapter.kind === "http") expect(headers.get("content-type")).toBe("text/plain");
    },
  );

  test.skipIf(lacks.repeatedHeaders)(
    `sees each of several tokens in one header (${lacks.repeatedHeaders ?? "it does"})`,
    async () => {
      const { send, seen } = await guard(adapter);
      const [good, bad] = [bearer(tokenFor()), bearer(forgedToken())];
      for (const headers of [
        [good, bad],
        [bad, good],
        [good, good],
      ]) {
        expect((await send({ headers })).status).toBe(401);
      }
      const jwts = [
        ["x-jwt", tokenFor()],
        ["x-jwt", forgedToken()],
      ] as const;
      expect((await send({ headers: jwts })).status).toBe(401);
      expect((await send({ headers: jwts.toReversed() })).status).toBe(401);
      expect(seen).toEqual([]);
    },
  );

  test("lets no forged token through beside a good one, however headers are joined", async () => {
    const { send, seen } = await guard(adapter);
    for (const headers of [
      [bearer(forgedToken()), bearer(tokenFor())],
      [["x-jwt", forgedToken()], bearer(tokenFor())],
      [
        ["x-jwt", tokenFor()],
        ["x-jwt", forgedToken()],
      ],
    ] as const) {
      expect((await send({ headers })).status).toBe(401);
    }
    expect(seen).toEqual([]);
  });

  test("takes headers that name a user off, whoever sent them and however they are written", async () => {
    const { send, seen } = await guard(adapter);
    const spoofed = [
      ["x-user", "admin"],
      ["X-User", "root"],
      ["X-PAYLOAD", "e30"],
    ] as const;
    await send({ headers: spoofed });
    await send({ headers: [...spoofed, bearer(tokenFor())] });
    expect(seen[0]?.headers.has("x-user")).toBe(false);
    expect(seen[0]?.headers.has("x-payload")).toBe(false);
    expect(seen[1]?.headers.get("x-user")).toBe("alice");
    expect(seen[1]?.headers.get("x-payload")).toBe(tokenFor().split(".")[1]);
  });

  test("reads a cookie", async () => {
    const { send, seen } = await guard(adapter);
    expect((await send({ headers: [["cookie", `theme=dark; session=${tokenFor()}`]] })).status).toBe(200);
    expect(seen[0]?.auth.principal).toBe("https://issuer.example/alice");
    expect((await send({ headers: [["cookie", "session=broken"]] })).status).toBe(401);
  });

  test.skipIf(lacks.query)(`reads the query, and takes the token out of it (${lacks.query ?? "it does"})`, async () => {
    const { send, seen } = await guard(adapter);
    const path = `${root}/cart`;
    const answer = await send({ path: `${path}?a=1&access_token=${tokenFor()}&b=2` });
    expect(answer.status).toBe(200);
    expect(seen[0]?.auth.principal).toBe("https://issuer.example/alice");
    if (adapter.kind === "http") expect(seen[0]?.path).toBe(`${path}?a=1&b=2`);
    expect((await send({ path: `${path}?access_token=broken` })).status).toBe(401);
  });

  test("hands the body on as it came", async () => {
    const { send, seen } = await guard(adapter);
    const body = JSON.stringify({ text: "ä".repeat(1000) });
    const answer = await send({
      method: "POST",
      body,
      headers: [bearer(tokenFor()), ["content-type", "text/plain"]].slice(0, adapter.kind === "rpc" ? 1 : 2) as never,
    });
    expect(answer.status).toBe(200);
    expect(seen[0]?.body).toBe(body);
  });

  test("keeps the identities of requests at one time apart", async () => {
    const { send, seen } = await guard(adapter);
    const names = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    await Promise.all(names.map((sub) => send({ headers: [bearer(tokenFor({ sub })), ["x-sent", sub]] })));
    expect(seen).toHaveLength(names.length);
    for (const { auth, headers } of seen) {
      expect(auth.principal).toBe(`https://issuer.example/${headers.get("x-sent")}`);
      expect(headers.get("x-user")).toBe(headers.get("x-sent"));
    }
  });

  test("gives out identities that nobody can change", async () => {
    const { seen, send } = await guard(adapter, { claims: (claims) => claims as never });
    const headers = [bearer(tokenFor({ roles: ["guest"] }))];
    await send({ headers });
    const auth = seen[0]?.auth as unknown as {
      claims: { roles: string[]; tenant: string };
      payload: { roles: string[] };
    };
    expect(() => auth.claims.roles.push("admin")).toThrow(TypeError);
    expect(() => auth.payload.roles.push("admin")).toThrow(TypeError);
    expect(() => Object.assign(auth, { principal: "root" })).toThrow(TypeError);
  });

  test("answers what the application throws, and goes on", async () => {
    let broken = true;
    const { send } = await guard(adapter, {
      application() {
        if (broken) throw new Error("a secret of the application");
      },
    });
    const answer = await send({ headers: [bearer(tokenFor())] });
    expect(answer.status).toBe(500);
    broken = false;
    expect((await send({ headers: [bearer(tokenFor())] })).status).toBe(200);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("a secret of the authenticator"))],
    [
      "throws at once",
      () => {
        throw new Error("a secret of the authenticator");
      },
    ],
    ["says nothing", async () => undefined as never],
    ["says what nobody knows", async () => ({ kind: "certainly", upstream: { remove: [], add: [] } }) as never],
  ])("lets nobody through when the authenticator %s", async (_what, authenticate) => {
    const { send, seen } = await guard(adapter, { authenticator: { authenticate } });
    const answer = await send({ headers: [bearer(tokenFor())] });
    expect(answer.status).toBe(503);
    expect(answer.body).toBe("Request authentication is unavailable");
    expect(seen).toEqual([]);
  });

  test("lets nobody through when the authenticator is too slow", async () => {
    const authenticator = slowAuthenticator();
    const clock = new FakeClock();
    const { send, seen, refusals } = await guard(adapter, { authenticator, clock, deadlineMs: 2_000 });
    const answer = send({});
    const { signal } = await authenticator.asked;
    await clock.advance(2_000);
    expect((await answer).status).toBe(503);
    expect(refusals).toEqual(["deadline-exceeded"]);
    expect(signal.aborted).toBe(true);
    expect(seen).toEqual([]);
  });

  test("stops asking when the client goes away, and calls nobody", async () => {
    const authenticator = slowAuthenticator();
    const { send, seen, failures } = await guard(adapter, { authenticator, clock: new FakeClock() });
    const client = new AbortController();
    const answer = send({ signal: client.signal }).catch((error: unknown) => error);
    const { signal } = await authenticator.asked;
    client.abort();
    await answer;
    if (!signal.aborted) await once(signal, "abort");
    await new Promise(setImmediate);
    expect(seen).toEqual([]);
    expect(failures).toEqual([]);
  });

  test("tells the authenticator of the request, and believes no proxy", async () => {
    const authenticator = slowAuthenticator();
    const { send } = await guard(adapter, { authenticator, clock: new FakeClock(), deadlineMs: 60_000 });
    const client = new AbortController();
    const headers = [
      ["x-forwarded-proto", "https"],
      ["x-forwarded-host", "evil.example"],
      ["x-forwarded-for", "10.9.9.9"],
    ] as const;
    const answer = send({ headers, signal: client.signal }).catch((error: unknown) => error);
    const { request } = await authenticator.asked;
    expect(request).toMatchObject({ scheme: "http", host: "shop.example" });
    if (adapter !== fetchAlone) {
      expect(request.source).toMatchObject({ address: "127.0.0.1" });
      expect(request.destination).toMatchObject({ address: "127.0.0.1" });
    }
    client.abort();
    await answer;
  });

  test("believes its own proxies where it is told of them", async () => {
    const authenticator = slowAuthenticator();
    const { send } = await guard(adapter, { authenticator, clock: new FakeClock(), trustedHops: 1 });
    const client = new AbortController();
    const answer = send({ headers: [["x-forwarded-proto", "ftp, https"]], signal: client.signal }).catch(String);
    expect((await authenticator.asked).request.scheme).toBe("https");
    client.abort();
    await answer;
  });
});

describe.each(allAdapters.filter(({ kind }) => kind === "http"))("a gateway for HTTP on $name", (adapter) => {
  const { lacks = {}, root = "" } = adapter;

  test("lets a preflight through as nobody, without looking at its token, and without spoofed headers", async () => {
    const { send, seen } = await guard(adapter);
    const preflight = [
      ["origin", "https://app.example"],
      ["access-control-request-method", "PUT"],
    ] as const;
    const headers = [...preflight, bearer("broken"), ["x-user", "admin"]] as const;
    expect((await send({ method: "OPTIONS", headers })).status).toBe(200);
    expect(seen[0]?.auth).toEqual({ kind: "anonymous" });
    expect(seen[0]?.headers.has("x-user")).toBe(false);
    expect((await send({ method: "OPTIONS", headers: [bearer("broken")] })).status).toBe(401);
  });

  test("answers HEAD without a body, and says how long it would be", async () => {
    const { send } = await guard(adapter);
    const answer = await send({ method: "HEAD", headers: [bearer(tokenFor({ exp: 1 }))] });
    expect(answer).toMatchObject({ status: 401, body: "" });
    expect(answer.headers.get("content-length")).toBe(String("Jwt is expired".length));
  });

  test.skipIf(lacks.requestTargets)(
    `takes a URL in the request line for what it says, and shows the handler the same (${lacks.requestTargets ?? "it does"})`,
    async () => {
      const { send, seen } = await guard(adapter);
      const path = `${root}/cart?a=1`;
      const answer = await send({ path: `http://bank.example:81${path}`, headers: [bearer(tokenFor())] });
      expect(answer.status).toBe(200);
      expect(seen[0]?.path).toBe(path);
      expect(seen[0]?.headers.get("host") ?? "").toBe("bank.example:81");
    },
  );

  test.skipIf(lacks.requestTargets)(
    `refuses what two readers could take for two requests (${lacks.requestTargets ?? "it does"})`,
    async () => {
      const { send, seen } = await guard(adapter);
      const twice = [
        ["host", "shop.example"],
        ["host", "bank.example"],
      ] as const;
      expect((await send({ headers: twice })).status).toBe(400);
      expect((await send({ headers: [["host", "user@shop.example"]] })).status).toBe(400);
      expect((await send({ path: `http://user@shop.example${root}/` })).status).toBe(400);
      expect((await send({ path: `${root}/cart#/admin` })).status).toBe(400);
      expect(seen).toEqual([]);
    },
  );
});
