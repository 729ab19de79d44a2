import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { fetchJwks, type JwksLocation } from "./fetch-jwks.ts";
import { type HttpGetRequest, httpGet } from "./http-get.ts";
import { createJwksSource, type JwksSourceOptions } from "./jwks-source.ts";
import { testIssuer } from "./testing.ts";

const { jwks } = testIssuer({ issuer: "https://issuer.example" });
const wellKnown = "/.well-known/openid-configuration";
const read = (name: string): string => readFileSync(new URL(`./testdata/${name}`, import.meta.url), "utf8");
const material = { cert: read("localhost.pem"), key: read("localhost.key") };

const closers: (() => unknown)[] = [];
let directory: string;
let bearerTokenFile: string;
let caFile: string;
/** The `authorization` of every request, by path. */
let seen: [path: string, authorization: string | undefined][];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-jwt-"));
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  bearerTokenFile = join(directory, "token");
  caFile = join(directory, "ca.crt");
  writeFileSync(bearerTokenFile, "secret-one\n");
  writeFileSync(caFile, read("ca.pem"));
  seen = [];
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** An issuer over TLS that notes what it is shown; `answer` may take requests from it. */
async function serveIssuer(answer?: (...args: Parameters<RequestListener>) => boolean, jwksUri?: string) {
  let issuer = "";
  const server = createServer(material, (request, response) => {
    seen.push([request.url ?? "", request.headers.authorization]);
    if (answer?.(request, response) === true) return;
    if (request.url === wellKnown) {
      response.end(JSON.stringify({ issuer, jwks_uri: jwksUri ?? `${issuer}/jwks` }));
    } else response.end(jwks);
  });
  issuer = `https://localhost:${await listen(server)}`;
  return issuer;
}

function fetchFrom(location: Partial<JwksLocation> & { readonly issuer: string }, get = httpGet) {
  const whole = { allowHttp: false, bearerTokenFile, caFile, ...location };
  return fetchJwks(whole, { clock: new FakeClock(), get }, new AbortController().signal);
}

describe("the bearer token of an issuer", () => {
  it("goes with the discovery document and the keys, and is read anew for each fetch", async () => {
    const issuer = await serveIssuer();
    expect((await fetchFrom({ issuer })).keys).toHaveLength(1);
    writeFileSync(bearerTokenFile, "secret-two");
    await fetchFrom({ issuer });
    expect(seen).toEqual([
      [wellKnown, "Bearer secret-one"],
      ["/jwks", "Bearer secret-one"],
      [wellKnown, "Bearer secret-two"],
      ["/jwks", "Bearer secret-two"],
    ]);
  });

  it("goes to the JWKS URI that was configured, whatever the issuer is called", async () => {
    const other = await serveIssuer();
    await fetchFrom({ issuer: "https://kubernetes.default.svc", jwksUri: `${other}/openid/v1/jwks` });
    expect(seen).toEqual([["/openid/v1/jwks", "Bearer secret-one"]]);
  });

  it("does not go to another origin that the discovery document names", async () => {
    const elsewhere = await serveIssuer();
    const issuer = await serveIssuer(undefined, `${elsewhere}/jwks`);
    expect((await fetchFrom({ issuer })).keys).toHaveLength(1);
    expect(seen).toEqual([
      [wellKnown, "Bearer secret-one"],
      ["/jwks", undefined],
    ]);
  });

  it("is not shown to another origin that a redirect leads to, and is again on the way back", async () => {
    const elsewhere = await serveIssuer((_, response) => {
      response.writeHead(307, { location: `${issuer}/back` }).end();
      return true;
    });
    const issuer: string = await serveIssuer((request, response) => {
      if (request.url !== "/jwks") return false;
      response.writeHead(307, { location: `${elsewhere}/other` }).end();
      return true;
    });
    await fetchFrom({ issuer });
    expect(seen).toEqual([
      [wellKnown, "Bearer secret-one"],
      ["/jwks", "Bearer secret-one"],
      ["/other", undefined],
      ["/back", "Bearer secret-one"],
    ]);
  });

  it("is not sent before the issuer has shown a certificate that is trusted", async () => {
    const issuer = await serveIssuer();
    await expect(fetchFrom({ issuer, caFile: join(directory, "absent") })).rejects.toMatchObject({
      code: "credential-unreadable",
    });
    const { caFile: _, ...untrusting } = { caFile, issuer, bearerTokenFile, allowHttp: false };
    const dependencies = { clock: new FakeClock(), get: httpGet };
    await expect(fetchJwks(untrusting, dependencies, new AbortController().signal)).rejects.toMatchObject({
      code: "fetch-failed",
    });
    expect(seen).toEqual([]);
  });

  it.each([
    ["http://issuer.example", "url-refused"],
    ["http://10.0.0.1", "url-refused"],
    ["http://localhost:1", "fine"],
    ["http://127.0.0.1:1", "fine"],
    ["https://issuer.example", "fine"],
  ])("at %s although http is allowed: %s", (issuer, expected) => {
    const options = { issuer, bearerTokenFile, allowHttp: true };
    expect(codeOfOptions(options)).toBe(expected);
  });

  it("stays on this machine over http, wherever the name may lead", async () => {
    const requests: HttpGetRequest[] = [];
    const get: typeof httpGet = async (request) => {
      requests.push(request);
      return { status: 200, body: Buffer.from(jwks) };
    };
    const location = { issuer: "any", jwksUri: "http://localhost/jwks", allowHttp: true };
    await fetchFrom(location, get);
    expect(requests).toMatchObject([{ bearerToken: "secret-one", onlyLoopback: true }]);
  });

  it.each([
    ["nothing", ""],
    ["two lines", "secret-one\nsecret-two"],
    ["a header", "secret-one\r\nx-admin: yes"],
    ["what no token holds", "secret-one\u00e9"],
    ["too much", "a".repeat(16_385)],
  ])("stops the fetch when its file holds %s, and is in no message", async (_, content) => {
    const issuer = await serveIssuer();
    writeFileSync(bearerTokenFile, content);
    const failure = await fetchFrom({ issuer }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "credential-unreadable" });
    expect(String(failure)).toContain(bearerTokenFile);
    expect(String(failure)).not.toContain("secret");
    expect(seen).toEqual([]);
  });

  it("is in no message of a fetch that fails", async () => {
    const failures: unknown[] = [];
    const answers: ((...args: Parameters<RequestListener>) => unknown)[] = [
      (_, response) => response.writeHead(401, { "www-authenticate": "secret-one" }).end("secret-one"),
      (_, response) => response.end("secret-one"),
      (request) => request.socket.destroy(),
    ];
    const issuer = await serveIssuer((request, response) => {
      answers.shift()?.(request, response);
      return true;
    });
    const clock = new FakeClock();
    const source = createJwksSource(
      { issuer, bearerTokenFile, caFile },
      { clock, random: () => 0, events: { fetched: () => undefined, fetchFailed: (event) => failures.push(event) } },
    );
    for (const _ of [...answers]) {
      const lookup = await source.find({ alg: "ES256" }, new AbortController().signal);
      expect(lookup.kind).toBe("unavailable");
      expect(JSON.stringify([lookup, source.status()])).not.toContain("secret");
      await clock.advance(1_000);
    }
    const messages = failures.map((event) => (event as { error: unknown }).error);
    expect(messages.map((error) => (error instanceof JwtError ? error.code : error))).toEqual([
      "http-status",
      "discovery-malformed",
      "fetch-failed",
    ]);
    expect(messages.map((error) => `${error} ${(error as Error).cause}`).join()).not.toContain("secret");
    expect(seen).toHaveLength(3);
  });
});

describe("the certificates of an issuer", () => {
  it("are read anew for each fetch", async () => {
    const issuer = await serveIssuer();
    writeFileSync(caFile, material.cert);
    await expect(fetchFrom({ issuer })).rejects.toMatchObject({ code: "fetch-failed" });
    writeFileSync(caFile, read("ca.pem"));
    expect((await fetchFrom({ issuer })).keys).toHaveLength(1);
  });

  it("cannot be given in two ways, nor be no certificates", async () => {
    expect(codeOfOptions({ issuer: "https://issuer.example", caPem: "x", caFile })).toBe("issuer-invalid");
    writeFileSync(caFile, "not yet written");
    await expect(fetchFrom({ issuer: "https://localhost:1" })).rejects.toMatchObject({ code: "credential-unreadable" });
  });
});

function codeOfOptions(options: JwksSourceOptions): string {
  try {
    createJwksSource(options, { clock: new FakeClock(), random: () => 0 });
    return "fine";
  } catch (error) {
    return error instanceof JwtError ? error.code : String(error);
  }
}

it("plain HTTP without a token is as before", async () => {
  const server = createHttpServer((request, response) => {
    seen.push([request.url ?? "", request.headers.authorization]);
    response.end(jwks);
  });
  const jwksUri = `http://127.0.0.1:${await listen(server)}/jwks`;
  const location = { issuer: "any", jwksUri, allowHttp: false };
  await fetchJwks(location, { clock: new FakeClock(), get: httpGet }, new AbortController().signal);
  expect(seen).toEqual([["/jwks", undefined]]);
});
