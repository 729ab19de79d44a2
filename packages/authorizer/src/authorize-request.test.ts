import { type Document, type ParsedDocuments, parseDocuments, parseWorkload } from "@signet/documents";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { FakeClock } from "@signet/runtime/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { type AttributedRequest, parseAttributeContext } from "./attribute-context.ts";
import type { AuthorizationResult } from "./authorization-result.ts";
import { type AuthorizerOptions, createAuthorizer } from "./authorize-request.ts";
import type { CustomAnswer, CustomProvider, CustomQuestion } from "./custom-provider.ts";

const clock = new FakeClock();
const one: TestIssuer = testIssuer({ issuer: "https://one.example", clock });
const workload = parseWorkload("foo/app=httpbin");
const web = "spiffe://cluster.local/ns/foo/sa/web";

let asked: CustomQuestion[];
let answers: Map<string, CustomAnswer>;
const custom: CustomProvider = {
  async ask(question) {
    asked.push(question);
    return answers.get(question.provider) ?? { kind: "unavailable", failOpen: false, detail: "no such provider" };
  },
};

beforeEach(() => {
  asked = [];
  answers = new Map();
});

function policy(name: string, spec: object, kind = "AuthorizationPolicy"): object {
  return { apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace: "foo" }, spec };
}

const jwt = (members: object = {}): object =>
  policy("jwt", { jwtRules: [{ issuer: one.issuer, jwks: one.jwks, ...members }] }, "RequestAuthentication");
const mtls = (mode: string, more: object = {}): object =>
  policy("mtls", { mtls: { mode }, ...more }, "PeerAuthentication");
const allow = (rule: object): object => policy("allow", { rules: [rule] });
const deny = (rule: object): object => policy("deny", { action: "DENY", rules: [rule] });
const customBy = (provider: string, rule: object = {}): object =>
  policy(`custom-${provider}`, { action: "CUSTOM", provider: { name: provider }, rules: [rule] });

function parse(...documents: readonly object[]): ParsedDocuments {
  return parseDocuments(documents.map((document) => JSON.stringify(document)).join("\n---\n"), {
    file: "policies.yaml",
  });
}

type Asked = {
  readonly path?: string;
  readonly token?: string;
  readonly headers?: object;
  readonly principal?: string | null;
  readonly port?: number;
  readonly tcp?: boolean;
  readonly payload?: object;
};

function request({
  path = "/",
  token,
  headers = {},
  principal = web,
  port = 8000,
  tcp = false,
  payload,
}: Asked = {}): AttributedRequest {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return parseAttributeContext({
    source: { address: { socketAddress: { address: "10.0.0.7" } }, principal },
    destination: { address: { socketAddress: { address: "10.0.0.9", portValue: port } } },
    request: tcp
      ? {}
      : {
          http: { method: "GET", scheme: "http", host: "httpbin.foo", path, headers: { ...authorization, ...headers } },
        },
    ...(payload === undefined
      ? {}
      : { metadataContext: { filterMetadata: { "envoy.filters.http.jwt_authn": { payload } } } }),
  });
}

async function authorize(
  documents: ParsedDocuments,
  asks: Asked = {},
  options: AuthorizerOptions = {},
): Promise<AuthorizationResult> {
  const authorizer = createAuthorizer(documents, options, { clock, random: () => 0.5, custom });
  return await authorizer.authorize(request(asks), workload, new AbortController().signal);
}

/** Effect and reason, and the id of the rule where there is one. */
async function verdict(...args: Parameters<typeof authorize>): Promise<string> {
  const { effect, reason, id } = await authorize(...args);
  return [effect, reason, id].filter((part) => part !== undefined).join(" ");
}

const toAnybody = { from: [{ source: { requestPrincipals: ["*"] } }] };

describe("a request is decided", () => {
  test.each<[string, readonly object[], Asked, string]>([
    ["by nothing", [], {}, "allow no-policy"],
    [
      "by an ALLOW policy",
      [allow({ to: [{ operation: { paths: ["/"] } }] })],
      {},
      "allow allow-matched ns[foo]-policy[allow]-rule[0]",
    ],
    ["by the lack of one", [allow({ to: [{ operation: { paths: ["/a"] } }] })], {}, "deny no-allow-matched"],
    [
      "by a DENY policy",
      [deny({ from: [{ source: { principals: ["*"] } }] })],
      {},
      "deny deny-matched ns[foo]-policy[deny]-rule[0]",
    ],
    [
      "by the peer",
      [allow({ from: [{ source: { principals: ["cluster.local/ns/foo/sa/web"] } }] })],
      {},
      "allow allow-matched ns[foo]-policy[allow]-rule[0]",
    ],
    [
      "by the lack of a peer",
      [allow({ from: [{ source: { principals: ["*"] } }] })],
      { principal: null },
      "deny no-allow-matched",
    ],
    [
      "by the port",
      [deny({ to: [{ operation: { ports: ["8000"] } }] })],
      {},
      "deny deny-matched ns[foo]-policy[deny]-rule[0]",
    ],
    [
      "by the peer's address",
      [deny({ from: [{ source: { ipBlocks: ["10.0.0.0/29"] } }] })],
      {},
      "deny deny-matched ns[foo]-policy[deny]-rule[0]",
    ],
    [
      "as TCP where it carries no HTTP",
      [allow({ to: [{ operation: { methods: ["GET"] } }] })],
      { tcp: true },
      "deny no-allow-matched",
    ],
    [
      "by the token",
      [jwt(), allow(toAnybody)],
      { token: one.sign() },
      "allow allow-matched ns[foo]-policy[allow]-rule[0]",
    ],
    ["by the lack of a token", [jwt(), allow(toAnybody)], {}, "deny no-allow-matched"],
    ["by a bad token, whatever policies say", [jwt(), allow({})], { token: one.sign({ exp: 1 }) }, "deny jwt-rejected"],
    ["by plaintext where mutual TLS is wanted", [mtls("STRICT"), allow({})], { principal: null }, "deny mtls-required"],
    ["by its peer there", [mtls("STRICT"), allow({})], {}, "allow allow-matched ns[foo]-policy[allow]-rule[0]"],
    ["by plaintext on TCP there too", [mtls("STRICT")], { principal: null, tcp: true }, "deny mtls-required"],
    ["by no such thing where it is only allowed", [mtls("PERMISSIVE")], { principal: null }, "allow no-policy"],
  ])("%s", async (_, documents, asks, expected) => {
    expect(await verdict(parse(...documents), asks)).toBe(expected);
  });

  test("by the mode of its port, and by the strictest where the port is not known", async () => {
    const selector = { selector: { matchLabels: { app: "httpbin" } } };
    const documents = parse(mtls("PERMISSIVE", { ...selector, portLevelMtls: { 8000: { mode: "STRICT" } } }));
    expect(await verdict(documents, { principal: null, port: 8000 })).toBe("deny mtls-required");
    expect(await verdict(documents, { principal: null, port: 9000 })).toBe("allow no-policy");
    expect(await verdict(documents, { principal: null, port: 0 })).toBe("deny mtls-required");
  });

  test("and the client of a denied one is answered as by a proxy", async () => {
    const denied = await authorize(parse(deny({})));
    expect(denied.answer).toEqual({ status: 403, body: "RBAC: access denied", headers: [] });
    expect(denied.upstream).toEqual({ remove: [], add: [] });
    const { answer } = await authorize(parse(jwt()), { token: "x.y.z" });
    expect(answer).toMatchObject({
      status: 401,
      headers: [["www-authenticate", 'Bearer realm="http://httpbin.foo/", error="invalid_token"']],
    });
    expect((await authorize(parse(mtls("STRICT")), { principal: null })).answer?.status).toBe(403);
  });
});

describe("a token", () => {
  const rule = { outputClaimToHeaders: [{ header: "x-user", claim: "sub" }] };

  test("says who the request is from, and its changes go upstream", async () => {
    const result = await authorize(parse(jwt(rule)), {
      token: one.sign({ sub: "alice" }),
      headers: { "x-user": "admin" },
    });
    expect(result).toMatchObject({ requestPrincipal: "https://one.example/alice", payload: { sub: "alice" } });
    expect(result.upstream).toEqual({ remove: ["x-user", "authorization"], add: [["x-user", "alice"]] });
  });

  test("is seen by policies as it goes on: without its header, with those made of it", async () => {
    const keys = [
      { key: "request.headers[x-user]", values: ["alice"] },
      { key: "request.headers[authorization]", notValues: ["*"] },
    ];
    const documents = parse(jwt(rule), allow({ when: keys }));
    expect(await verdict(documents, { token: one.sign({ sub: "alice" }) })).toContain("allow allow-matched");
    expect(await verdict(documents, { headers: { "x-user": "alice" } })).toBe("deny no-allow-matched");
  });

  test("that another filter has verified counts exactly where there are no rules here", async () => {
    const claims = { payload: { iss: one.issuer, sub: "alice" } };
    expect(await verdict(parse(allow(toAnybody)), claims)).toContain("allow allow-matched");
    expect(await verdict(parse(allow(toAnybody), jwt()), claims)).toBe("deny no-allow-matched");
    const elsewhere = { ...jwt(), metadata: { name: "jwt", namespace: "bar" } };
    expect(await verdict(parse(allow(toAnybody), elsewhere), claims)).toBe("deny no-allow-matched");
    const asMetadata = allow({ when: [{ key: "experimental.envoy.filters.http.jwt_authn[payload]", values: ["x"] }] });
    const text = { payload: { iss: "x" } };
    expect(await verdict(parse(asMetadata, jwt()), text)).toBe("deny no-allow-matched");
  });
});

describe("CUSTOM providers", () => {
  test("are asked in the order of their names, each seeing what the one before has changed, and all must allow", async () => {
    answers.set("a", {
      kind: "allowed",
      upstream: { remove: ["cookie"], add: [["x-a", "1"]] },
      downstream: [["x-down", "2"]],
    });
    answers.set("b", { kind: "allowed" });
    const documents = parse(
      customBy("b"),
      customBy("a"),
      allow({ when: [{ key: "request.headers[x-a]", values: ["1"] }] }),
    );
    const result = await authorize(documents, { headers: { cookie: "c" } });
    expect(asked.map(({ provider, rule }) => `${provider} ${rule.id}`)).toEqual([
      "a ns[foo]-policy[custom-a]-rule[0]",
      "b ns[foo]-policy[custom-b]-rule[0]",
    ]);
    expect(asked[1]?.request.headers).toEqual([["x-a", "1"]]);
    expect(result).toMatchObject({
      reason: "allow-matched",
      upstream: { remove: ["cookie"], add: [["x-a", "1"]] },
      downstream: [["x-down", "2"]],
    });
  });

  test("are asked where a rule matches what the one before has changed, and not where it no longer does", async () => {
    answers.set("a", { kind: "allowed", upstream: { remove: ["x-b"], add: [["x-c", "1"]] } });
    answers.set("b", { kind: "allowed" });
    answers.set("c", { kind: "denied", answer: { status: 403, body: "no", headers: [] } });
    const where = (header: string): object => ({ when: [{ key: `request.headers[${header}]`, values: ["1"] }] });
    const documents = parse(customBy("a"), customBy("b", where("x-b")), customBy("c", where("x-c")));
    expect(await verdict(documents, { headers: { "x-b": "1" } })).toContain("deny custom-denied");
    expect(asked.map(({ provider }) => provider)).toEqual(["a", "c"]);
  });

  test("are asked only where a rule matches", async () => {
    expect(await verdict(parse(customBy("a", { to: [{ operation: { paths: ["/admin"] } }] })))).toBe("allow no-policy");
    expect(asked).toEqual([]);
  });

  test("deny with their own answer, and nothing is asked after that", async () => {
    answers.set("a", { kind: "denied", answer: { status: 302, body: "login", headers: [["location", "/login"]] } });
    const result = await authorize(parse(customBy("a"), customBy("b"), jwt(), allow({})), { token: "bad" });
    expect(result).toMatchObject({
      effect: "deny",
      reason: "custom-denied",
      provider: "a",
      policy: { namespace: "foo", name: "custom-a" },
      rule: 0,
      answer: { status: 302, body: "login", headers: [["location", "/login"]] },
      downstream: [],
    });
    expect(asked).toHaveLength(1);
  });

  test.each<[string, CustomAnswer | undefined, string, number | undefined]>([
    ["that nobody knows deny", undefined, "deny custom-denied", 403],
    [
      "that do not answer deny",
      { kind: "unavailable", failOpen: false, status: 503, detail: "" },
      "deny custom-denied",
      503,
    ],
    [
      "that do not answer and may be done without let through",
      { kind: "unavailable", failOpen: true, detail: "" },
      "allow no-policy",
      undefined,
    ],
  ])("%s", async (_, answer, expected, status) => {
    if (answer !== undefined) answers.set("a", answer);
    const result = await authorize(parse(customBy("a")));
    expect(`${result.effect} ${result.reason}`).toBe(expected);
    expect(result.answer?.status).toBe(status);
  });

  test("deny where there is nobody to ask", async () => {
    const authorizer = createAuthorizer(parse(customBy("a")), {}, { clock, random: () => 0.5 });
    expect(await authorizer.authorize(request(), workload, new AbortController().signal)).toMatchObject({
      reason: "custom-denied",
    });
  });

  test("come before the token, or after it where that is wanted", async () => {
    answers.set("a", { kind: "allowed" });
    const documents = parse(customBy("a"), jwt({ outputClaimToHeaders: [{ header: "x-user", claim: "sub" }] }));
    for (const jwtFirst of [false, true]) {
      asked = [];
      await authorize(documents, { token: one.sign({ sub: "alice" }) }, { jwtFirst });
      expect(asked[0]?.request.headers.some(([name]) => name === "x-user")).toBe(jwtFirst);
      asked = [];
      expect(await verdict(documents, { token: "bad" }, { jwtFirst })).toBe("deny jwt-rejected");
      expect(asked).toHaveLength(jwtFirst ? 0 : 1);
    }
  });
});

describe("documents that are refused", () => {
  const broken = (kind: string): object => policy("broken", { spec: 1 }, kind);

  test.each([
    ["a policy denies", "AuthorizationPolicy", {}, "deny deny-matched"],
    ["a RequestAuthentication has tokens refused", "RequestAuthentication", { token: one.sign() }, "deny jwt-rejected"],
    ["a RequestAuthentication has metadata of tokens passed over", "RequestAuthentication", {}, "allow no-policy"],
    ["a PeerAuthentication wants mutual TLS", "PeerAuthentication", { principal: null }, "deny mtls-required"],
    ["a PeerAuthentication lets peers in", "PeerAuthentication", {}, "allow no-policy"],
  ])("%s", async (_, kind, asks, expected) => {
    const documents = parse(broken(kind));
    expect(documents.refused).toHaveLength(1);
    expect(await verdict(documents, asks)).toBe(expected);
  });

  test("do so for nobody else", async () => {
    const documents = parse({ ...broken("AuthorizationPolicy"), metadata: { name: "broken", namespace: "bar" } });
    expect(await verdict(documents)).toBe("allow no-policy");
  });
});

describe("workloads and documents", () => {
  test("each workload has its own, and a set replaces another as a whole", async () => {
    const selected = policy("a", { action: "DENY", selector: { matchLabels: { app: "httpbin" } }, rules: [{}] });
    const authorizer = createAuthorizer(parse(selected), { maxWorkloads: 1 }, { clock, random: () => 0.5 });
    const reasons = async (): Promise<readonly string[]> => {
      const names = [
        "foo/app=httpbin",
        "foo/app=sleep",
        "bar/app=httpbin",
        "foo/app=httpbin,v=1",
        "foo/v=1,app=httpbin",
      ];
      const results = names.map((name) =>
        authorizer.authorize(request(), parseWorkload(name), new AbortController().signal),
      );
      return (await Promise.all(results)).map(({ reason }) => reason);
    };
    expect(await reasons()).toEqual(["deny-matched", "no-policy", "no-policy", "deny-matched", "deny-matched"]);
    authorizer.replace(parse());
    expect(await reasons()).toEqual(["no-policy", "no-policy", "no-policy", "no-policy", "no-policy"]);
  });

  test("keys are shared by all workloads", async () => {
    const fetched: string[] = [];
    const set = parse(
      ...["a", "b"].map((app) =>
        policy(
          `jwt-${app}`,
          {
            selector: { matchLabels: { app } },
            jwtRules: [{ issuer: one.issuer, jwksUri: "https://one.example/jwks" }],
          },
          "RequestAuthentication",
        ),
      ),
    );
    const fetch = async ({ url }: { readonly url: URL }) => {
      fetched.push(url.href);
      return { status: 200, body: Buffer.from(one.jwks) };
    };
    const authorizer = createAuthorizer(set, {}, { clock, random: () => 0.5, fetch });
    for (const app of ["a", "b"]) {
      const result = await authorizer.authorize(
        request({ token: one.sign() }),
        parseWorkload(`foo/app=${app}`),
        new AbortController().signal,
      );
      expect(result.requestPrincipal).toContain(one.issuer);
    }
    expect(fetched).toEqual(["https://one.example/jwks"]);
    expect(authorizer.health()).toMatchObject([{ issuer: one.issuer, keyCount: 1 }]);
  });

  test("without a promise where nobody has to be asked", () => {
    const authorizer = createAuthorizer(parse(jwt(), allow({})), {}, { clock, random: () => 0.5 });
    const result = authorizer.authorize(request({ token: one.sign() }), workload, new AbortController().signal);
    expect(result).not.toBeInstanceOf(Promise);
  });

  test("problems of policies are told", () => {
    const documents: readonly Document[] = [];
    const authorizer = createAuthorizer({ documents, refused: [] }, {}, { clock, random: () => 0.5 });
    expect(authorizer.replace(parse(policy("broken", { rules: [{ to: [{}] }] })))).not.toEqual([]);
  });
});

describe("the client's address", () => {
  const block = parse(deny({ from: [{ source: { remoteIpBlocks: ["192.0.2.0/24"] } }] }));
  test.each([
    ["is the peer's where nobody is believed", "192.0.2.1", undefined, "allow no-policy"],
    ["is the peer's where no proxy stands before ours", "192.0.2.1, 10.0.0.7", 0, "allow no-policy"],
    ["is what one proxy wrote", "192.0.2.1, 10.0.0.7", 1, "deny deny-matched"],
    ["is what one proxy wrote, where our own has not yet", "192.0.2.1", 1, "deny deny-matched"],
    ["is not what the client wrote before it", "192.0.2.1, 198.51.100.1, 10.0.0.7", 1, "allow no-policy"],
    ["is what the first of two proxies wrote", "192.0.2.1, 198.51.100.1, 10.0.0.7", 2, "deny deny-matched"],
    ["is the peer's where there are too few", "192.0.2.1, 10.0.0.7", 2, "allow no-policy"],
    ["is the peer's where it is no address", "192.0.2.1:80, 10.0.0.7", 1, "allow no-policy"],
  ])("%s", async (_, xff, trustedHops, expected) => {
    const options = trustedHops === undefined ? {} : { trustedHops };
    const result = await authorize(block, { headers: { "x-forwarded-for": xff } }, options);
    expect(`${result.effect} ${result.reason}`).toBe(expected);
  });
});
