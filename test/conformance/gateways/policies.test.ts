import type { CustomProvider } from "@signet/authorizer";
import { parseWorkload } from "@signet/documents";
import { type AuthorizationOutcome, createGateway, type JsonObject } from "@signet/gateway";
import { afterEach, describe, expect, test } from "vitest";
import type { AdapterUnderTest, RunningServer, SeenRequest, ShopClaims } from "./adapter-under-test.ts";
import { allAdapters } from "./all-adapters.ts";
import { expressApp, nodeHttp } from "./node-adapters.ts";
import { policy, shopAuthorizer, tokenFor } from "./shop-rules.ts";

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

type Guarded = RunningServer & {
  readonly seen: SeenRequest[];
  readonly decided: AuthorizationOutcome[];
  readonly refusals: object[];
};

function shopClaims({ tenant = "" }: JsonObject): ShopClaims {
  return { tenant: String(tenant) };
}

async function guard(
  adapter: AdapterUnderTest,
  policies: readonly string[],
  custom?: CustomProvider,
): Promise<Guarded> {
  const seen: SeenRequest[] = [];
  const decided: AuthorizationOutcome[] = [];
  const refusals: object[] = [];
  const gateway = createGateway<ShopClaims>({
    authorizer: shopAuthorizer(policies, custom),
    workload: parseWorkload("shop/app=cart"),
    claims: shopClaims,
    events: { decided: (outcome) => void decided.push(outcome), refused: (event) => void refusals.push(event) },
  });
  const server = await adapter.start(gateway, (request) => void seen.push(request));
  running.push(server);
  const { root = "" } = adapter;
  const send: RunningServer["send"] = (request) => server.send({ ...request, path: request.path ?? `${root}/` });
  return { ...server, send, seen, decided, refusals };
}

const bearer = (token: string): readonly [string, string] => ["authorization", `Bearer ${token}`];

const members = policy("members", {
  rules: [{ from: [{ source: { requestPrincipals: ["https://issuer.example/*"] } }] }],
});

describe.each(allAdapters)("policies on $name", (adapter) => {
  const { lacks = {} } = adapter;

  test("let those through that they allow, with who they are", async () => {
    const { send, seen, decided } = await guard(adapter, [members]);
    expect((await send({ headers: [bearer(tokenFor()), ["x-user", "root"]] })).status).toBe(200);
    expect(seen[0]?.auth).toMatchObject({
      ...{ kind: "authenticated", principal: "https://issuer.example/alice", issuer: "https://issuer.example" },
      ...{ claims: { tenant: "acme" }, payload: { scope: ["read", "write"] } },
    });
    expect(seen[0]?.headers.get("x-user")).toBe("alice");
    expect(seen[0]?.headers.has("authorization")).toBe(false);
    expect(decided[0]).toMatchObject({ reason: "allow-matched", policy: { namespace: "shop", name: "members" } });
  });

  test("answer those that they do not allow", async () => {
    const { send, seen, refusals } = await guard(adapter, [members]);
    const answer = await send({});
    expect([answer.status, answer.body]).toEqual([403, "RBAC: access denied"]);
    const expired = await send({ headers: [bearer(tokenFor({ exp: 1 }))] });
    expect([expired.status, expired.body]).toEqual([401, "Jwt is expired"]);
    expect(refusals).toEqual([
      { code: "no-allow-matched", status: 403 },
      { code: "jwt-rejected", status: 401 },
    ]);
    expect(seen).toEqual([]);
  });

  test("name the policy that denied", async () => {
    const banned = policy("banned", {
      action: "DENY",
      rules: [{ when: [{ key: "request.auth.claims[tenant]", values: ["evil"] }] }],
    });
    const { send, refusals } = await guard(adapter, [members, banned]);
    expect((await send({ headers: [bearer(tokenFor({ tenant: "evil" }))] })).status).toBe(403);
    expect((await send({ headers: [bearer(tokenFor())] })).status).toBe(200);
    expect(refusals).toEqual([{ code: "deny-matched", status: 403, policy: "shop/banned" }]);
  });

  test("look at every path and every one of the headers that a request has", async () => {
    const method = adapter.kind === "rpc" ? "POST" : "GET";
    const path = adapter.kind === "rpc" ? "/grpc.health.v1.Health/Check" : `${adapter.root ?? ""}/`;
    const open = policy("open", {
      rules: [{ to: [{ operation: { methods: [method], paths: [path], hosts: ["shop.example"] } }] }],
    });
    const { send } = await guard(adapter, [open]);
    expect((await send({})).status).toBe(200);
    const closed = policy("closed", { rules: [{ to: [{ operation: { notPaths: [path] } }] }] });
    expect((await (await guard(adapter, [closed])).send({})).status).toBe(403);
  });

  test.skipIf(lacks.repeatedHeaders)(
    `see each of several headers of one name (${lacks.repeatedHeaders ?? "they do"})`,
    async () => {
      const blocked = policy("blocked", {
        action: "DENY",
        rules: [{ when: [{ key: "request.headers[x-role]", values: ["blocked"] }] }],
      });
      const { send } = await guard(adapter, [blocked]);
      const roles = [
        ["x-role", "guest"],
        ["x-role", "blocked"],
      ] as const;
      expect((await send({ headers: roles })).status).toBe(403);
      expect((await send({ headers: roles.toReversed() })).status).toBe(403);
      expect((await send({ headers: roles.slice(0, 1) })).status).toBe(200);
    },
  );

  test("deny whatever a CUSTOM policy matches while there is no provider, and take its answer when there is one", async () => {
    const outside = policy("outside", { action: "CUSTOM", provider: { name: "shop-auth" }, rules: [{}] });
    expect((await (await guard(adapter, [outside])).send({})).status).toBe(403);
    const custom: CustomProvider = {
      ask: async () => ({
        ...{ kind: "allowed", upstream: { remove: ["x-secret"], add: [["x-note", "checked"]] } },
        downstream: [["x-trace", "1"]],
      }),
    };
    const { send, seen } = await guard(adapter, [outside], custom);
    const answer = await send({ headers: [["x-secret", "1"]] });
    expect(answer.status).toBe(200);
    expect(seen[0]?.headers.get("x-note")).toBe("checked");
    expect(seen[0]?.headers.has("x-secret")).toBe(false);
    if (adapter.kind === "http") expect(answer.headers.get("x-trace")).toBe("1");
  });

  test("answer what a CUSTOM provider answers", async () => {
    const outside = policy("outside", { action: "CUSTOM", provider: { name: "shop-auth" }, rules: [{}] });
    const login = { status: 302, body: "", headers: [["location", "https://login.example/"]] } as const;
    const { send } = await guard(adapter, [outside], { ask: async () => ({ kind: "denied", answer: login }) });
    const answer = await send({});
    if (adapter.kind === "rpc") expect(answer.status).toBe(403);
    else expect([answer.status, answer.headers.get("location")]).toEqual([302, "https://login.example/"]);
  });
});

const spellings = [
  ...["/public/../admin", "/public/./../admin/", "/%61dmin", "/public/%2e%2e/admin", "/public/%2E./admin", "/./admin"],
  ...[
    "/public/..;/admin",
    "/public/..;x=1/admin",
    "/public/%2e%2e;x/admin",
    "/admin/../admin",
    "/admin?x",
    "/admin/?/public",
    "/public\\..\\admin",
  ],
  ...["http://shop.example/admin", "http://shop.example/public/../admin", "/admin/%2e", "/admin%3f/../x"],
];

describe.each(allAdapters.filter(({ kind }) => kind === "http"))("paths under policies on $name", (adapter) => {
  const { root = "" } = adapter;
  const noAdmin = policy("no-admin", {
    action: "DENY",
    rules: [{ to: [{ operation: { paths: [`${root}/admin*`] } }] }],
  });
  const onlyPublic = policy("only-public", { rules: [{ to: [{ operation: { paths: [`${root}/public/*`] } }] }] });

  test.each(spellings)("a handler never sees a path that was not decided about: %s", async (spelling) => {
    const path = spelling.startsWith("http") ? spelling.replace(".example", `.example${root}`) : `${root}${spelling}`;
    if (spelling.startsWith("http") && adapter.lacks?.requestTargets !== undefined) return;
    const denied = await guard(adapter, [noAdmin]);
    const statuses = [(await denied.send({ path })).status];
    const allowed = await guard(adapter, [onlyPublic]);
    statuses.push((await allowed.send({ path })).status);
    for (const { path: seen } of denied.seen) expect(seen.startsWith(`${root}/admin`)).toBe(false);
    for (const { path: seen } of allowed.seen) expect(seen.startsWith(`${root}/public/`)).toBe(true);
    for (const { path: seen } of [...denied.seen, ...allowed.seen]) {
      const [plain = ""] = seen.split("?", 1);
      expect(plain.toLowerCase()).not.toMatch(/(^|\/)(\.|%2e){1,2}(;[^/]*)?(\/|$)/);
    }
    expect(statuses.every((status) => [200, 400, 403, 404].includes(status))).toBe(true);
  });

  test("deny a preflight that no policy exempts, as in Istio", async () => {
    const { send } = await guard(adapter, [members]);
    const headers = [
      ["origin", "https://app.example"],
      ["access-control-request-method", "PUT"],
    ] as const;
    expect((await send({ method: "OPTIONS", headers })).status).toBe(403);
  });
});

test("where no router has run a handler sees the normal path, and an encoded NUL is refused", async () => {
  for (const adapter of [nodeHttp, expressApp]) {
    const { send, seen } = await guard(adapter, []);
    expect((await send({ path: "/a/../b%2Dc?d=/../e" })).status).toBe(200);
    expect(seen[0]?.path).toBe("/b-c?d=/../e");
    expect((await send({ path: "/a%00b" })).status).toBe(400);
  }
});
