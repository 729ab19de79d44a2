import { parseDocuments, parseWorkload } from "@signet/documents";
import type { HttpGet } from "@signet/jwt";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { FakeClock } from "@signet/runtime/testing";
import { beforeEach, describe, expect, test } from "vitest";
import {
  createRequestAuthenticator,
  type RequestAuthenticator,
  type RequestAuthenticatorOptions,
} from "./request-authenticator.ts";

let clock: FakeClock;
let one: TestIssuer;
let two: TestIssuer;
let requests: string[];
/** By URL: a document, or what the network does. */
let answers: Map<string, string | Error | Promise<never>>;

const fetch: HttpGet = async ({ url }, signal) => {
  requests.push(url.href);
  const answer = answers.get(url.href);
  if (answer instanceof Error) throw answer;
  if (answer instanceof Promise) {
    await Promise.race([answer, new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))]);
    throw signal.reason;
  }
  return answer === undefined ? { status: 404, body: Buffer.from("") } : { status: 200, body: Buffer.from(answer) };
};

beforeEach(() => {
  clock = new FakeClock();
  one = testIssuer({ issuer: "https://one.example", clock });
  two = testIssuer({ issuer: "https://two.example", clock });
  requests = [];
  answers = new Map([
    ["https://one.example/jwks", one.jwks],
    ["https://two.example/jwks", two.jwks],
  ]);
});

type Written = {
  readonly namespace?: string;
  readonly selector?: string;
  readonly rules: readonly object[];
  readonly field?: string;
};

function documents(...written: readonly Written[]): ReturnType<typeof parseDocuments> {
  const texts = written.map(({ namespace = "foo", selector, rules, field = "jwtRules" }, at) =>
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "RequestAuthentication",
      metadata: { name: `jwt-${at}`, namespace },
      spec: { ...(selector === undefined ? {} : { selector: { matchLabels: { app: selector } } }), [field]: rules },
    }),
  );
  return parseDocuments(texts.join("\n---\n"), { file: "rules.yaml" });
}

function ruleOf({ issuer }: TestIssuer, members: object = {}): object {
  return { issuer, jwksUri: `${issuer}/jwks`, ...members };
}

function create(set: ReturnType<typeof documents>, options: RequestAuthenticatorOptions = {}): RequestAuthenticator {
  return createRequestAuthenticator(set, options, { clock, random: () => 0.5, fetch });
}

async function verdict(
  authenticator: RequestAuthenticator,
  token?: string,
  more: readonly [string, string][] = [],
): Promise<string> {
  const headers: [string, string][] = token === undefined ? [...more] : [["authorization", `Bearer ${token}`], ...more];
  const result = await authenticator.authenticate(
    { method: "GET", scheme: "https", host: "shop.example", path: "/", headers },
    new AbortController().signal,
  );
  switch (result.kind) {
    case "anonymous":
      return "anonymous";
    case "authenticated":
      return result.principal ?? "nobody";
    case "rejected":
      return `${result.status} ${result.code}`;
  }
}

const subject = "system:serviceaccount:demo:frontend";

describe("which documents count", () => {
  const workload = parseWorkload("foo/app=httpbin");
  test.each([
    ["of its namespace", { rules: [] }, true],
    ["with its label", { selector: "httpbin", rules: [] }, true],
    ["with another label", { selector: "sleep", rules: [] }, false],
    ["of another namespace", { namespace: "bar", rules: [] }, false],
    ["of the root namespace", { namespace: "istio-system", rules: [] }, true],
  ])("for a workload: one %s", async (_, written, counts) => {
    const set = documents({ ...written, rules: [ruleOf(one)] });
    expect(await verdict(create(set, { workload }), one.sign())).toBe(
      counts ? `${one.issuer}/${subject}` : "anonymous",
    );
    expect(await verdict(create(set), one.sign())).toBe(`${one.issuer}/${subject}`);
  });

  test("the root namespace is the mesh's", async () => {
    const set = documents({ namespace: "mesh", rules: [ruleOf(one)] });
    expect(await verdict(create(set, { workload }), one.sign())).toBe("anonymous");
    expect(await verdict(create(set, { workload, rootNamespace: "mesh" }), one.sign())).toBe(
      `${one.issuer}/${subject}`,
    );
  });
});

describe("keys", () => {
  test("are fetched once for all rules of an issuer and place", async () => {
    const authenticator = create(
      documents({ rules: [ruleOf(one), ruleOf(one, { audiences: ["a"] })] }, { rules: [ruleOf(one)] }),
    );
    expect(authenticator.health()).toEqual([{ issuer: one.issuer, jwksUri: `${one.issuer}/jwks`, keyCount: 0 }]);
    for (let times = 0; times < 3; times++) await verdict(authenticator, one.sign());
    expect(requests).toEqual(["https://one.example/jwks"]);
    await clock.advance(5_000);
    expect(authenticator.health()).toEqual([
      { issuer: one.issuer, jwksUri: `${one.issuer}/jwks`, keyCount: 1, ageMs: 5_000 },
    ]);
  });

  test("are found by discovery where the rule names no place", async () => {
    answers.set(
      "https://one.example/.well-known/openid-configuration",
      JSON.stringify({ issuer: one.issuer, jwks_uri: `${one.issuer}/jwks` }),
    );
    const authenticator = create(documents({ rules: [{ issuer: one.issuer }] }));
    expect(await verdict(authenticator, one.sign())).toBe(`${one.issuer}/${subject}`);
    expect(authenticator.health()).toMatchObject([{ issuer: one.issuer, keyCount: 1 }]);
  });

  test("in the rule itself need no connection, and neither do those given for an issuer or a place", async () => {
    const set = documents({
      rules: [
        { issuer: one.issuer, jwks: one.jwks },
        { issuer: two.issuer },
        { issuer: "https://three.example", jwksUri: "https://elsewhere.example/jwks" },
      ],
    });
    const three = testIssuer({ issuer: "https://three.example", clock });
    const jwksOf = new Map([
      [two.issuer, two.jwks],
      ["https://elsewhere.example/jwks", three.jwks],
    ]);
    const authenticator = create(set, { jwksOf });
    for (const issuer of [one, two, three])
      expect(await verdict(authenticator, issuer.sign())).toBe(`${issuer.issuer}/${subject}`);
    expect(authenticator.health()).toEqual([]);
    expect(requests).toEqual([]);
  });

  test("of an issuer that stalls delay no other", async () => {
    answers.set("https://one.example/jwks", new Promise<never>(() => undefined));
    const authenticator = create(documents({ rules: [ruleOf(one), ruleOf(two)] }));
    const stalled = verdict(authenticator, one.sign());
    expect(await verdict(authenticator, two.sign())).toBe(`${two.issuer}/${subject}`);
    await clock.untilSleepers();
    await clock.advance(5_000);
    expect(await stalled).toBe("401 keys-unavailable");
    expect(authenticator.health()[0]?.lastError).toContain("longer than 5s");
  });

  test("are waited for as long as the rule says, the longest of those that share them", async () => {
    answers.set("https://one.example/jwks", new Promise<never>(() => undefined));
    const rules = [ruleOf(one, { timeout: "1s" }), ruleOf(one, { timeout: "9s", audiences: ["other"] })];
    const authenticator = create(documents({ rules }));
    const stalled = verdict(authenticator, one.sign());
    await clock.untilSleepers();
    await clock.advance(8_999);
    expect(authenticator.health()[0]?.lastError).toBeUndefined();
    await clock.advance(1);
    expect(await stalled).toBe("401 keys-unavailable");
    expect(authenticator.health()[0]?.lastError).toContain("longer than 9s");
  });

  test("are fetched in the way that the options say, and a way that cannot work is known at once", async () => {
    const rules = [{ issuer: one.issuer, jwksUri: "https://10.0.0.1/jwks" }];
    answers.set("https://10.0.0.1/jwks", one.jwks);
    expect(await verdict(create(documents({ rules })), one.sign())).toBe(`${one.issuer}/${subject}`);
    for (const fetching of [{ refusePrivateAddresses: true }, { refusedCidrs: ["10.0.0.0/8"] }]) {
      const authenticator = create(documents({ rules }), { fetching });
      expect(await verdict(authenticator, one.sign())).toBe("401 keys-unavailable");
    }
    const wrong = { refusedCidrs: ["10.0.0.0/33"] };
    expect(() => create(documents({ rules }), { fetching: wrong })).toThrow(
      expect.objectContaining({ code: "address-range-invalid" }),
    );
  });

  test("at an address that is refused can never be had, and the others can", async () => {
    const authenticator = create(
      documents({ rules: [{ issuer: "https://bad.example", jwksUri: "http://169.254.169.254/jwks" }, ruleOf(one)] }),
    );
    expect(await verdict(authenticator, one.sign())).toBe(`${one.issuer}/${subject}`);
    expect(await verdict(authenticator, one.sign({ iss: "https://bad.example" }))).toBe("401 keys-unavailable");
    expect(authenticator.health()[0]).toMatchObject({ issuer: "https://bad.example", keyCount: 0 });
    expect(authenticator.health()[0]?.lastError).toContain("link-local or metadata address");
    expect(requests).toEqual(["https://one.example/jwks"]);
  });

  test.each([
    ["are fetched over http as Istio does", {}, `${"https://one.example"}/${subject}`],
    ["are not in profile strict", { profile: "strict" }, "401 keys-unavailable"],
    ["are not where that is refused", { allowHttp: false }, "401 keys-unavailable"],
  ] as const)("%s", async (_, options, expected) => {
    answers.set("http://keys.example/jwks", one.jwks);
    const authenticator = create(
      documents({ rules: [{ issuer: one.issuer, jwksUri: "http://keys.example/jwks" }] }),
      options,
    );
    expect(await verdict(authenticator, one.sign())).toBe(expected);
  });

  test("are not fetched from addresses that are refused, and as often as is wanted", async () => {
    answers.set("https://192.0.2.7/jwks", one.jwks);
    const set = documents({ rules: [{ issuer: one.issuer, jwksUri: "https://192.0.2.7/jwks" }] });
    expect(await verdict(create(set), one.sign())).toBe(`${one.issuer}/${subject}`);
    const guarded = create(set, { fetching: { refusedCidrs: ["192.0.2.0/24"] } });
    expect(await verdict(guarded, one.sign())).toBe("401 keys-unavailable");
    requests = [];
    const short = create(set, { maxAgeMs: 1_000 });
    for (const ms of [0, 1_001]) {
      await clock.advance(ms);
      await verdict(short, one.sign());
    }
    expect(requests).toHaveLength(2);
  });

  test("for a rule of any issuer are fetched from its place", async () => {
    const authenticator = create(documents({ rules: [{ jwksUri: "https://one.example/jwks" }] }));
    expect(await verdict(authenticator, one.sign({ iss: "anybody" }))).toBe(`anybody/${subject}`);
    expect(authenticator.health()).toMatchObject([{ issuer: "", jwksUri: "https://one.example/jwks", keyCount: 1 }]);
  });
});

describe("replace", () => {
  test("puts other rules in force, and keeps the keys of an issuer that stays", async () => {
    const authenticator = create(documents({ rules: [ruleOf(one)] }));
    await verdict(authenticator, one.sign());
    authenticator.replace(documents({ rules: [ruleOf(one, { audiences: ["istio-ca"] }), ruleOf(two)] }));
    expect(await verdict(authenticator, one.sign())).toBe(`${one.issuer}/${subject}`);
    expect(await verdict(authenticator, one.sign({ aud: "b" }))).toBe("403 audience-mismatch");
    expect(requests).toEqual(["https://one.example/jwks"]);
    authenticator.replace(documents({ rules: [ruleOf(two)] }));
    expect(await verdict(authenticator, one.sign())).toBe("401 issuer-unknown");
    authenticator.replace(documents());
    expect(await verdict(authenticator, one.sign())).toBe("anonymous");
    expect(authenticator.health()).toEqual([]);
  });

  test("leaves a request that is under way to the rules it began with", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow: HttpGet = async (request, signal) => {
      await promise;
      return await fetch(request, signal);
    };
    const authenticator = createRequestAuthenticator(
      documents({ rules: [ruleOf(one)] }),
      {},
      { clock, random: () => 0.5, fetch: slow },
    );
    const pending = verdict(authenticator, one.sign());
    authenticator.replace(documents({ rules: [ruleOf(two)] }));
    resolve();
    expect(await pending).toBe(`${one.issuer}/${subject}`);
  });
});

describe("the task", () => {
  test("keeps the keys of all issuers fresh, of those that come too, and of those that go no more", async () => {
    const stop = new AbortController();
    const authenticator = create(documents({ rules: [ruleOf(one)] }));
    const running = authenticator.task.run(stop.signal);
    await clock.untilSleepers(1);
    expect(requests).toEqual(["https://one.example/jwks"]);
    authenticator.replace(documents({ rules: [ruleOf(two)] }));
    await clock.untilSleepers(1);
    await clock.advance(3_600_000);
    expect(requests.filter((url) => url.startsWith("https://one.example"))).toHaveLength(1);
    expect(requests.filter((url) => url.startsWith("https://two.example")).length).toBeGreaterThan(5);
    stop.abort();
    await running;
    expect(clock.sleepers()).toBe(0);
  });
});

describe("a RequestAuthentication that is refused", () => {
  const bad = { rules: [{}], field: "jwtRule" };

  test("has every token for the workloads it selects refused, and no request without one", async () => {
    const set = documents(
      { rules: [ruleOf(one), ruleOf(two, { fromHeaders: [{ name: "x-token" }] })] },
      { ...bad, selector: "httpbin" },
    );
    const hit = create(set, { workload: parseWorkload("foo/app=httpbin") });
    expect(hit.refused()).toHaveLength(1);
    expect(await verdict(hit)).toBe("anonymous");
    expect(await verdict(hit, one.sign())).toBe("401 keys-invalid");
    expect(await verdict(hit, one.sign({ iss: "https://unknown.example" }))).toBe("401 keys-invalid");
    expect(await verdict(hit, undefined, [["x-token", two.sign()]])).toBe("401 keys-invalid");
    const missed = create(set, { workload: parseWorkload("foo/app=sleep") });
    expect(missed.refused()).toEqual([]);
    expect(await verdict(missed, one.sign())).toBe(`${one.issuer}/${subject}`);
  });

  test("counts whatever it is where nothing is known of it", async () => {
    const { documents: good } = documents({ rules: [ruleOf(one)] });
    const { refused } = parseDocuments("kind: [", { file: "broken.yaml" });
    const authenticator = create({ ...documents(), documents: good, refused }, { workload: parseWorkload("foo") });
    expect(await verdict(authenticator, one.sign())).toBe("401 keys-invalid");
  });

  test("counts not where it is of another kind", async () => {
    const text =
      '{"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "spec": {"mtl": {}}, "metadata": {"name": "a", "namespace": "foo"}}';
    const { refused } = parseDocuments(text, { file: "other.yaml" });
    expect(refused).toHaveLength(1);
    const authenticator = create({ ...documents({ rules: [ruleOf(one)] }), refused });
    expect(await verdict(authenticator, one.sign())).toBe(`${one.issuer}/${subject}`);
  });
});
