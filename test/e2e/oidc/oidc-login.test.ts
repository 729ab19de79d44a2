import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@signet/runtime";
import { fakeLogger } from "@signet/runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openLoginGateway } from "../../../deploy/examples/oidc-login/open-login-gateway.ts";
import { type Browser, createBrowser } from "./browser.ts";
import { clientSecret, startProvider, type TestProvider } from "./test-provider.ts";

const shop = "http://shop.example";
const secureShop = "https://shop.example";

let provider: TestProvider;
let passed: IncomingMessage[] = [];
let hosts: Record<string, string>;
/** How far the gateways' clock is ahead. */
let aheadMs = 0;

const upstream = createServer((request, response) => {
  passed.push(request);
  response.end("the shop");
});
const stop = new AbortController();
const ended: Promise<void>[] = [];

async function openShop(origin: string): Promise<string> {
  const clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };
  const { port } = upstream.address() as AddressInfo;
  const client = { issuer: provider.issuer, clientId: "shop", clientSecret, refreshMs: 300 };
  const places = { publicUrl: new URL(origin), listen: "127.0.0.1:0", upstream: new URL(`http://127.0.0.1:${port}`) };
  const { url, tasks } = await openLoginGateway({ ...client, ...places }, { logger: fakeLogger(), clock });
  for (const task of tasks) ended.push(task.run(stop.signal).catch(() => undefined));
  return url;
}

beforeAll(async () => {
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  provider = await startProvider([shop, secureShop]);
  hosts = { [shop]: await openShop(shop), [secureShop]: await openShop(secureShop) };
});

afterAll(async () => {
  stop.abort();
  await Promise.all(ended);
  await upstream[Symbol.asyncDispose]();
  await provider.close();
});

let browser: Browser;
beforeEach(() => {
  browser = createBrowser(hosts);
  passed = [];
  aheadMs = 0;
});

const atCallback = (url: string): boolean => url.startsWith(`${shop}/callback`);
const atProvider = (url: string): boolean => url.startsWith(provider.issuer);

function session(of: Browser = browser, origin = shop): string | undefined {
  return of.cookies.get(origin)?.get(origin === shop ? "session" : "__Host-session");
}

/** Where a browser is sent that asks for a page: "in" for the shop itself. */
async function where(of: Browser = browser): Promise<string> {
  const page = await of.open(`${shop}/cart`, { stopAt: () => true });
  return page.status === 200 ? "in" : new URL(page.url).pathname;
}

describe("a login", () => {
  test("leads back to where it began, with who it is and nothing that could log somebody in again", async () => {
    const page = await browser.logIn(`${shop}/cart?a=1`);
    expect(page).toMatchObject({ url: `${shop}/cart?a=1`, status: 200, body: "the shop" });
    expect(passed).toHaveLength(1);
    expect(passed[0]?.headers).toMatchObject({ "x-user": "alice", "x-email": "alice@shop.example" });
    expect(passed[0]?.headers.authorization).toBeUndefined();
    expect(passed[0]?.rawHeaders.join("\n")).not.toContain(session());
  });

  test("asks with PKCE, a state and a nonce, new ones every time", async () => {
    const asked = async (): Promise<URLSearchParams> =>
      new URL((await browser.open(`${shop}/login`, { stopAt: atProvider })).url).searchParams;
    const [first, second] = [await asked(), await asked()];
    expect(first.get("code_challenge_method")).toBe("S256");
    expect(first.get("response_type")).toBe("code");
    for (const name of ["state", "nonce", "code_challenge"]) {
      expect(first.get(name)).toHaveLength(43);
      expect(first.get(name)).not.toBe(second.get(name));
    }
  });

  test.each([
    ["with another state", (url: URL) => url.searchParams.set("state", "A".repeat(43))],
    ["without a state", (url: URL) => url.searchParams.delete("state")],
    ["from another provider", (url: URL) => url.searchParams.set("iss", "https://evil.example")],
    ["from a provider that does not say who it is", (url: URL) => url.searchParams.delete("iss")],
    ["without a code", (url: URL) => url.searchParams.delete("code")],
  ])("is refused when it comes back %s", async (_what, spoil) => {
    const back = new URL((await browser.logIn(`${shop}/cart`, { stopAt: atCallback })).url);
    spoil(back);
    expect((await browser.open(back.href)).status).toBe(400);
    expect(session()).toBeUndefined();
  });

  test("is refused in a browser that has not begun it", async () => {
    const back = await browser.logIn(`${shop}/cart`, { stopAt: atCallback });
    const victim = createBrowser(hosts);
    expect((await victim.open(back.url)).status).toBe(400);
    await victim.open(`${shop}/login`, { stopAt: atProvider });
    expect((await victim.open(back.url)).status).toBe(400);
    expect(session(victim)).toBeUndefined();
  });

  test("is refused when its code comes a second time", async () => {
    const back = await browser.logIn(`${shop}/cart`, { stopAt: atCallback });
    const login = browser.cookies.get(shop)?.get("login") ?? "";
    await browser.open(back.url);
    expect(await where()).toBe("in");
    expect((await browser.open(back.url)).status).toBe(400);
    const thief = createBrowser(hosts);
    thief.cookies.set(shop, new Map([["login", login]]));
    expect((await thief.open(back.url)).status).toBe(403);
    expect(session(thief)).toBeUndefined();
  });

  test("is refused with the code of another login: PKCE binds a code to who asked for it", async () => {
    const attacker = createBrowser(hosts);
    const theirs = new URL((await attacker.logIn(`${shop}/`, { stopAt: atCallback, user: "mallory" })).url);
    const ours = new URL((await browser.logIn(`${shop}/`, { stopAt: atCallback })).url);
    ours.searchParams.set("code", theirs.searchParams.get("code") ?? "");
    expect((await browser.open(ours.href)).status).toBe(403);
    expect(session()).toBeUndefined();
  });

  test("cannot be had without PKCE by taking the challenge out of the request", async () => {
    const asked = new URL((await browser.open(`${shop}/login`, { stopAt: atProvider })).url);
    asked.searchParams.delete("code_challenge");
    asked.searchParams.delete("code_challenge_method");
    const refused = await browser.open(asked.href, { stopAt: atCallback });
    expect(refused.url).toContain("error=invalid_request");
    expect((await browser.open(refused.url)).status).toBe(400);
  });

  test("takes ten minutes at most", async () => {
    const back = await browser.logIn(`${shop}/cart`, { stopAt: atCallback });
    aheadMs = 601_000;
    expect((await browser.open(back.url)).status).toBe(400);
  });

  test.each([
    ["https://evil.example/", "/"],
    ["//evil.example/steal", "/"],
    ["/\\evil.example/", "/"],
    ["/\t/evil.example/", "/"],
    ["javascript:alert(1)", "/"],
    ["/a/../..//evil.example", "/"],
    ["/cart?to=//evil.example", "/cart?to=//evil.example"],
    ["/cart\r\nx: y", "/cartx:%20y"],
    [`/${"a".repeat(2_000)}`, "/"],
  ])("goes on to no other site: %j", async (returnTo, path) => {
    const page = await browser.logIn(`${shop}/login?return_to=${encodeURIComponent(returnTo)}`);
    expect(page).toMatchObject({ url: `${shop}${path}`, status: 200 });
  });
});

describe("cookies", () => {
  test("are for this origin alone, and for no script", async () => {
    await browser.logIn(`${shop}/cart`);
    const ours = browser.setCookies.filter((line) => /^(login|session)=/.test(line));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    for (const line of ours) expect(line).toMatch(/^\w+=[\w-]*; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  test("are for https alone where that is how browsers come, and no other host can set them", async () => {
    const page = await browser.logIn(`${secureShop}/cart`);
    expect(page.status).toBe(200);
    const ours = browser.setCookies.filter((line) => line.startsWith("__Host-"));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    for (const line of ours)
      expect(line).toMatch(/^__Host-\w+=[\w-]*; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    const other = createBrowser(hosts);
    other.cookies.set(secureShop, new Map([["session", session(browser, secureShop) ?? ""]]));
    expect((await other.open(`${secureShop}/cart`, { stopAt: () => true })).status).toBe(303);
  });
});

describe("a session", () => {
  test("is none that somebody knew before the login", async () => {
    browser.cookies.set(shop, new Map([["session", "known-to-mallory"]]));
    await browser.logIn(`${shop}/cart`);
    const first = session();
    expect(first).not.toBe("known-to-mallory");
    const mallory = createBrowser(hosts);
    mallory.cookies.set(shop, new Map([["session", "known-to-mallory"]]));
    expect(await where(mallory)).toBe("/login");
    await browser.logIn(`${shop}/login`);
    expect(session()).not.toBe(first);
    mallory.cookies.set(shop, new Map([["session", first ?? ""]]));
    expect(await where(mallory)).toBe("/login");
  });

  test("is not believed when a browser sends two of its cookie", async () => {
    await browser.logIn(`${shop}/cart`);
    const headers = { cookie: `session=${session()}; session=another` };
    expect((await createBrowser(hosts).open(`${shop}/cart`, { headers, stopAt: () => true })).status).toBe(303);
    const once = { cookie: `session=${session()}` };
    expect((await createBrowser(hosts).open(`${shop}/cart`, { headers: once, stopAt: () => true })).status).toBe(200);
  });

  test("ends with its token", async () => {
    await browser.logIn(`${shop}/cart`);
    aheadMs = 3_500_000;
    expect(await where()).toBe("in");
    aheadMs = 3_601_000;
    expect(await where()).toBe("/login");
    aheadMs = 0;
    expect(await where()).toBe("/login");
  });

  test("lives on when the provider signs with another key, and ends when its own is withdrawn", async () => {
    provider.useKeys("k1");
    await browser.logIn(`${shop}/cart`);
    provider.useKeys("k2", "k1");
    const later = createBrowser(hosts);
    await expect.poll(async () => (await later.logIn(`${shop}/cart`)).status, { timeout: 60_000 }).toBe(200);
    expect(await where(later)).toBe("in");
    expect(await where()).toBe("in");
    provider.useKeys("k2");
    await expect.poll(() => where(), { timeout: 60_000 }).toBe("/login");
    expect(await where(later)).toBe("in");
  });

  test("is not there for forms of other sites", async () => {
    await browser.logIn(`${shop}/cart`);
    passed = [];
    for (const headers of [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site" },
      { origin: "null" },
    ]) {
      expect((await browser.open(`${shop}/buy`, { method: "POST", headers })).status).toBe(403);
    }
    expect(passed).toEqual([]);
    expect((await browser.open(`${shop}/buy`, { method: "POST", headers: { origin: shop } })).status).toBe(200);
  });

  test("goes before whatever else a client says of itself", async () => {
    await browser.logIn(`${shop}/cart`);
    await browser.open(`${shop}/cart`, { headers: { authorization: "Bearer e30.e30.e30", "x-user": "root" } });
    expect(passed.at(-1)?.headers["x-user"]).toBe("alice");
  });
});

describe("a logout", () => {
  test("ends the session here, wherever its cookie has been copied to, and at the provider", async () => {
    await browser.logIn(`${shop}/cart`);
    const copied = session() ?? "";
    const page = await browser.open(`${shop}/logout`, { method: "POST", headers: { origin: shop } });
    expect(page.url).toContain(`${provider.issuer}/session/end`);
    expect(page.url).not.toContain("id_token_hint");
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
    const form = { xsrf, logout: "yes" };
    const back = await browser.open(`${provider.issuer}/session/end/confirm`, {
      method: "POST",
      form,
      stopAt: (url) => url.startsWith(shop),
    });
    expect(back.url).toBe(`${shop}/`);
    const thief = createBrowser(hosts);
    thief.cookies.set(shop, new Map([["session", copied]]));
    expect(await where(thief)).toBe("/login");
    // The provider asks who it is again, too.
    expect((await browser.open(`${shop}/cart`)).body).toContain('name="login"');
  });

  test("is asked for by pages of ours alone, and by no link", async () => {
    await browser.logIn(`${shop}/cart`);
    expect((await browser.open(`${shop}/logout`)).status).toBe(405);
    const evil = { method: "POST", headers: { origin: "https://evil.example" } } as const;
    expect((await browser.open(`${shop}/logout`, evil)).status).toBe(403);
    expect(await where()).toBe("in");
  });
});

describe("programs", () => {
  test("are told to log in, and may bring a token of their own", async () => {
    const headers = { accept: "application/json" };
    expect((await browser.open(`${shop}/cart`, { headers })).status).toBe(401);
    expect((await browser.open(`${shop}/cart`, { headers: { ...headers, "x-user": "root" } })).status).toBe(401);
    const broken = await browser.open(`${shop}/cart`, { headers: { ...headers, authorization: "Bearer broken" } });
    expect(broken).toMatchObject({ status: 401 });
    expect(broken.headers.get("www-authenticate")).toContain("invalid_token");
    expect(passed).toEqual([]);
  });
});
