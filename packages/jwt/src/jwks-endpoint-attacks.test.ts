import type { LookupAddress } from "node:dns";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { FakeIssuer, jwksOf } from "./fake-issuer.ts";
import { type HttpGet, httpGet, httpGetWith, type Resolve } from "./http-get.ts";
import { createJwksSource, type JwksSourceOptions } from "./jwks-source.ts";

const signal = new AbortController().signal;
const minute = 60_000;
let server: Server;
let port: number;
let listener: RequestListener;
let requests: number;

beforeEach(async () => {
  requests = 0;
  listener = (_, response) => response.end(jwksOf("k1"));
  server = createServer((request, response) => {
    requests++;
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A source that fetches from the server over a real socket, on a fake clock. */
function setUp(options: Partial<JwksSourceOptions> = {}, fetch: HttpGet = httpGet) {
  const clock = new FakeClock();
  const failures: string[] = [];
  const jwksUri = `http://127.0.0.1:${port}/jwks`;
  const events = {
    fetched: () => undefined,
    fetchFailed: ({ error }: { readonly error: unknown }) =>
      void failures.push(error instanceof JwtError ? error.code : String(error)),
  };
  const source = createJwksSource(
    { issuer: "https://issuer.example", jwksUri, ...options },
    { clock, random: () => 0.5, fetch, events },
  );
  const find = async (kid: string): Promise<string> => {
    const lookup = await source.find({ alg: "ES256", kid }, signal);
    return lookup.kind === "found" ? "found" : lookup.code;
  };
  return { clock, source, find, failures };
}

const metadata = "http://169.254.169.254/latest/meta-data";

describe("a JWKS endpoint that had been good and then misbehaves", () => {
  it.each<[string, RequestListener, string]>([
    ["answers 200 with garbage", (_, response) => response.end("<html>login</html>"), "jwks-malformed"],
    ["answers 200 with nothing", (_, response) => response.end(), "jwks-malformed"],
    ["streams without end", streamForever, "response-too-large"],
    ["redirects to metadata", (_, r) => r.writeHead(302, { location: metadata }).end(), "url-refused"],
    [
      "redirects to metadata over TLS",
      (_, r) => r.writeHead(302, { location: "https://[fe80::1]/" }).end(),
      "address-refused",
    ],
    ["redirects in a circle", (_, r) => r.writeHead(307, { location: "/jwks" }).end(), "redirect-refused"],
    ["hangs up", (request) => request.socket.destroy(), "fetch-failed"],
  ])("%s: its known keys stay, unknown ones are not let through", async (_name, misbehaviour, code) => {
    const { clock, find, failures } = setUp();
    expect(await find("k1")).toBe("found");
    listener = misbehaviour;
    await clock.advance(minute);
    expect(await find("k2")).toBe("keys-unavailable");
    expect(failures).toEqual([code]);
    expect(await find("k1")).toBe("found");
    listener = (_, response) => response.end(jwksOf("k1", "k2"));
    await clock.advance(minute);
    expect(await find("k2")).toBe("found");
  });

  it("stalls: it is given up after 5 s, and the connection closed", async () => {
    const { clock, find, failures } = setUp();
    expect(await find("k1")).toBe("found");
    const closed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    listener = (request, response) => {
      response.writeHead(200).write('{"keys":[');
      request.socket.on("close", () => closed.resolve());
      asked.resolve();
    };
    await clock.advance(minute);
    const waiting = find("k2");
    await asked.promise;
    expect(await find("k1")).toBe("found");
    await clock.advance(5_000);
    expect(await waiting).toBe("keys-unavailable");
    await closed.promise;
    expect(failures).toHaveLength(1);
  });

  it("flips its keys every second: one fetch in 30 s, and no key is used that the last answer had not", async () => {
    const { clock, find } = setUp();
    const start = clock.now().getTime();
    const second = (): number => Math.floor((clock.now().getTime() - start) / 1000);
    listener = (_, response) => response.end(jwksOf(`k${second()}`));
    let found = 0;
    let latest = "";
    for (let at = 0; at < 120; at++) {
      const before = requests;
      const outcome = await find(`k${second()}`);
      if (requests > before) latest = `k${second()}`;
      if (outcome === "found") found++;
      expect(outcome === "found").toBe(`k${second()}` === latest);
      if (at > 0)
        expect(await find(`k${second() - 1}`)).toBe(latest === `k${second() - 1}` ? "found" : "key-not-found");
      await clock.advance(1_000);
    }
    expect(requests).toBeLessThanOrEqual(1 + 120 / 30);
    expect(found).toBeGreaterThanOrEqual(4);
  });
});

describe("a name that resolves to another address the second time", () => {
  const resolveInTurn = (...answers: readonly (readonly string[])[]): { resolve: Resolve; asked: () => number } => {
    let asked = 0;
    const resolve: Resolve = (_name, _options, callback) => {
      const addresses = answers[Math.min(asked++, answers.length - 1)] ?? [];
      callback(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    };
    return { resolve, asked: () => asked };
  };
  const byName =
    (resolve: Resolve): HttpGet =>
    (request, within) =>
      httpGetWith(resolve, request, within);

  it("is resolved once for one connection: what was checked is what is connected to", async () => {
    const { resolve, asked } = resolveInTurn(["127.0.0.1"], ["169.254.169.254"]);
    const { find, failures, clock } = setUp(
      { jwksUri: `http://issuer.example:${port}/`, allowHttp: true },
      byName(resolve),
    );
    expect(await find("k1")).toBe("found");
    expect(asked()).toBe(1);
    await clock.advance(minute);
    expect(await find("k2")).toBe("keys-unavailable");
    expect(failures).toEqual(["address-refused"]);
    expect(await find("k1")).toBe("found");
  });

  it("is resolved and checked anew for a redirect to itself", async () => {
    const { resolve } = resolveInTurn(["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]);
    listener = (_, response) => response.writeHead(302, { location: "/elsewhere" }).end();
    const { find, failures } = setUp({ jwksUri: `http://issuer.example:${port}/`, allowHttp: true }, byName(resolve));
    expect(await find("k1")).toBe("keys-unavailable");
    expect([failures, requests]).toEqual([["address-refused"], 1]);
  });

  it.each<[Partial<JwksSourceOptions>, string]>([
    [{ refusePrivateAddresses: true }, "10.0.0.1"],
    [{ refusePrivateAddresses: true }, "127.0.0.1"],
    [{ refusedCidrs: ["192.0.2.0/24"] }, "192.0.2.9"],
  ])("is refused by what the options say: %j, %s", async (options, address) => {
    const { resolve } = resolveInTurn([address]);
    const jwksUri = `http://issuer.example:${port}/`;
    const { find, failures } = setUp({ jwksUri, allowHttp: true, ...options }, byName(resolve));
    expect(await find("k1")).toBe("keys-unavailable");
    expect([failures, requests]).toEqual([["address-refused"], 0]);
  });

  it("an address in a URL is refused before anything is fetched", () => {
    const jwksUri = "https://10.0.0.1/jwks";
    const make = (): unknown => setUp({ jwksUri, refusePrivateAddresses: true });
    expect(make).toThrow(expect.objectContaining({ code: "address-refused" }));
  });
});

describe("many issuers", () => {
  it("one that answers with another's keys changes nothing for that other one", async () => {
    const clock = new FakeClock();
    const [mine, other] = [new FakeIssuer("https://mine.example"), new FakeIssuer("https://other.example")];
    other.answer = jwksOf("other");
    const sources = [mine, other].map(({ issuer, jwksUri, get }) =>
      createJwksSource({ issuer, jwksUri }, { clock, random: () => 0.5, fetch: get }),
    );
    mine.answer = other.answer;
    const kinds = await Promise.all(
      sources.map(async (one) => (await one.find({ alg: "ES256", kid: "other" }, signal)).kind),
    );
    expect(kinds).toEqual(["found", "found"]);
    expect([mine.requests, other.requests]).toEqual([[mine.jwksUri], [other.jwksUri]]);
  });
});

function streamForever(_: unknown, response: { write(chunk: string): boolean; destroyed: boolean }): void {
  if (response.destroyed) return;
  response.write("a".repeat(10_000));
  setImmediate(streamForever, _, response);
}
