import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { fetchJwks } from "./fetch-jwks.ts";
import { httpGet } from "./http-get.ts";
import { testIssuer } from "./testing.ts";

const { jwks } = testIssuer({ issuer: "https://issuer.example" });
const wellKnown = "/.well-known/openid-configuration";

let server: Server;
let issuer: string;
let routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void>;

beforeEach(async () => {
  server = createServer((request, response) => {
    const route = routes[request.url ?? ""];
    if (route === undefined) response.writeHead(404).end();
    else route(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  routes = { [wellKnown]: discovery({ issuer, jwks_uri: `${issuer}/jwks` }), "/jwks": text(jwks) };
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function text(body: string): (request: IncomingMessage, response: ServerResponse) => void {
  return (_, response) => response.end(body);
}

function discovery(document: object): (request: IncomingMessage, response: ServerResponse) => void {
  return text(JSON.stringify(document));
}

async function codeOf(location: {
  issuer: string;
  jwksUri?: string;
  allowHttp?: boolean;
  maxRedirects?: number;
}): Promise<string> {
  const dependencies = { clock: new FakeClock(), get: httpGet };
  try {
    const found = await fetchJwks({ allowHttp: false, ...location }, dependencies, new AbortController().signal);
    return found.keys.map((key) => key.kid).join();
  } catch (error) {
    if (error instanceof JwtError) return error.code;
    throw error;
  }
}

describe("fetchJwks from a real server", () => {
  it("goes by discovery", async () => {
    expect(await codeOf({ issuer })).toBe("test");
  });

  it("goes straight to a given URI, whatever the issuer is called", async () => {
    delete routes[wellKnown];
    expect(await codeOf({ issuer: "https://issuer.example", jwksUri: `${issuer}/jwks` })).toBe("test");
  });

  it("drops one slash at the end of the issuer's URL, and compares the issuer with it", async () => {
    routes[wellKnown] = discovery({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` });
    expect([await codeOf({ issuer: `${issuer}/` }), await codeOf({ issuer })]).toEqual(["test", "issuer-mismatch"]);
  });

  it.each<[string, () => void, string]>([
    ["no discovery document", () => delete routes[wellKnown], "http-status"],
    ["another issuer's document", () => setDiscovery({ issuer: "https://evil.example" }), "issuer-mismatch"],
    ["a document without issuer", () => setDiscovery({ issuer: undefined }), "discovery-malformed"],
    ["a document without jwks_uri", () => setDiscovery({ jwks_uri: undefined }), "discovery-malformed"],
    ["a jwks_uri that is no text", () => setDiscovery({ jwks_uri: [`${issuer}/jwks`] }), "discovery-malformed"],
    ["a relative jwks_uri", () => setDiscovery({ jwks_uri: "/jwks" }), "url-refused"],
    ["a jwks_uri to metadata", () => setDiscovery({ jwks_uri: "https://169.254.169.254/" }), "address-refused"],
    ["a jwks_uri over http elsewhere", () => setDiscovery({ jwks_uri: "http://10.0.0.1/jwks" }), "url-refused"],
    ["a jwks_uri to a file", () => setDiscovery({ jwks_uri: "file:///etc/passwd" }), "url-refused"],
    ["a document that is no object", () => set(wellKnown, "[]"), "discovery-malformed"],
    ["a document that is no JSON", () => set(wellKnown, "<html>"), "discovery-malformed"],
    [
      "a document with an issuer twice",
      () => set(wellKnown, `{"issuer":"a","issuer":"${issuer}"}`),
      "discovery-malformed",
    ],
    ["no JWKS", () => delete routes["/jwks"], "http-status"],
    ["a redirect to itself", () => redirect("/jwks", "/jwks"), "redirect-refused"],
    ["four redirects", () => redirectTimes(4), "redirect-refused"],
    ["a redirect to nowhere", () => redirect("/jwks", undefined), "redirect-refused"],
    ["a redirect to no URL", () => redirect("/jwks", "http://["), "redirect-refused"],
    ["a redirect to metadata", () => redirect("/jwks", "https://169.254.169.254/"), "address-refused"],
    ["a redirect to metadata over http", () => redirect("/jwks", "http://169.254.169.254/"), "url-refused"],
    ["a redirect of the document to metadata", () => redirect(wellKnown, "//169.254.169.254/"), "url-refused"],
    ["a redirect over http elsewhere", () => redirect("/jwks", "http://10.0.0.1/jwks"), "url-refused"],
    ["a redirect to a file", () => redirect("/jwks", "file:///etc/passwd"), "url-refused"],
    ["a redirect with a password", () => redirect("/jwks", "https://a:b@issuer.example/"), "url-refused"],
    ["a JWKS past 256 KiB", () => set("/jwks", " ".repeat(262_145)), "response-too-large"],
    ["a JWKS that is garbage", () => set("/jwks", "<html>"), "jwks-malformed"],
  ])("refuses %s", async (_, change, code) => {
    change();
    expect(await codeOf({ issuer })).toBe(code);
  });

  it("follows three redirects, and no more than it is told", async () => {
    redirectTimes(3);
    expect(await codeOf({ issuer })).toBe("test");
    expect(await codeOf({ issuer, maxRedirects: 2 })).toBe("redirect-refused");
    redirectTimes(0);
    expect(await codeOf({ issuer, maxRedirects: 0 })).toBe("test");
  });

  it.each([301, 302, 303, 307, 308])(
    "follows a redirect %d of the document, and still compares the issuer",
    async (status) => {
      const document = { issuer, jwks_uri: `${issuer}/jwks` };
      redirect(wellKnown, "/moved", status);
      routes["/moved"] = discovery(document);
      expect(await codeOf({ issuer })).toBe("test");
      routes["/moved"] = discovery({ ...document, issuer: "https://evil.example" });
      expect(await codeOf({ issuer })).toBe("issuer-mismatch");
    },
  );

  it("is not led from https to http by a redirect", async () => {
    const get: typeof httpGet = async () => ({ status: 302, location: "http://127.0.0.1/jwks", body: Buffer.alloc(0) });
    const location = { issuer: "x", jwksUri: "https://issuer.example/jwks", allowHttp: true };
    const fetched = fetchJwks(location, { clock: new FakeClock(), get }, new AbortController().signal);
    await expect(fetched).rejects.toMatchObject({ code: "url-refused" });
  });

  it("gives the whole way one deadline", async () => {
    const clock = new FakeClock();
    const get: typeof httpGet = async (_, within) => {
      await clock.sleep(2_000, within);
      return { status: 302, location: "/again", body: Buffer.alloc(0) };
    };
    const location = { issuer: "x", jwksUri: "https://issuer.example/jwks", allowHttp: false };
    const fetched = fetchJwks(location, { clock, get }, new AbortController().signal).catch((error: unknown) => error);
    for (let second = 0; second < 6; second++) await clock.advance(1_000);
    expect(await fetched).toMatchObject({ message: expect.stringContaining("5") });
  });

  it("accepts 256 KiB", async () => {
    set("/jwks", jwks.padEnd(262_144));
    expect(await codeOf({ issuer })).toBe("test");
  });

  it.each([
    ["http://127.0.0.1/jwks", false, true],
    ["http://127.0.0.1/jwks", true, false],
    ["https://127.0.0.1/jwks", false, false],
  ])("from %s (http elsewhere allowed: %s) keeps to this machine: %s", async (jwksUri, allowHttp, onlyLoopback) => {
    const seen: boolean[] = [];
    const get: typeof httpGet = async (request) => {
      seen.push(request.onlyLoopback);
      return { status: 200, body: Buffer.from(jwks) };
    };
    const location = { issuer: "anything", jwksUri, allowHttp };
    await fetchJwks(location, { clock: new FakeClock(), get }, new AbortController().signal);
    expect(seen).toEqual([onlyLoopback]);
  });

  it("is not led from https to http", async () => {
    const get: typeof httpGet = async () => {
      const document = { issuer: "https://issuer.example", jwks_uri: "http://127.0.0.1/jwks" };
      return { status: 200, body: Buffer.from(JSON.stringify(document)) };
    };
    const location = { issuer: "https://issuer.example", allowHttp: true };
    const fetched = fetchJwks(location, { clock: new FakeClock(), get }, new AbortController().signal);
    await expect(fetched).rejects.toMatchObject({ code: "url-refused" });
  });
});

function set(path: string, body: string): void {
  routes[path] = text(body);
}

function setDiscovery(changes: object): void {
  routes[wellKnown] = discovery({ issuer, jwks_uri: `${issuer}/jwks`, ...changes });
}

function redirect(path: string, to: string | undefined, status = 302): void {
  routes[path] = (_, response) => response.writeHead(status, to === undefined ? {} : { location: to }).end();
}

/** So many redirects before the JWKS is there. */
function redirectTimes(times: number): void {
  const place = (n: number): string => (n === 0 ? "/jwks" : `/jwks${n}`);
  for (let n = 0; n < times; n++) redirect(place(n), place(n + 1));
  set(place(times), jwks);
}
