import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { testIssuer } from "@signet/jwt/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ProgramProcess, spawnShell } from "./support/signet-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const issuer = testIssuer({ issuer: "https://issuer.example" });

type Passed = { readonly request: IncomingMessage; readonly body: string };

let directory: string;
let gateway: ProgramProcess;
let url: string;
let passed: Passed[] = [];
/** While set, the upstream answers only then. */
let gate: Promise<void> | undefined;

const upstream = createServer(async (request, response) => {
  const body = await readAll(request);
  passed.push({ request, body });
  await gate;
  response.setHeader("x-upstream", "yes").end(body);
});

function policies(audience: string): string {
  const rule = {
    ...{ issuer: issuer.issuer, jwks: issuer.jwks, audiences: [audience] },
    outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
  };
  const metadata = { name: "shop", namespace: "shop" };
  const document = {
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata,
    spec: { jwtRules: [rule] },
  };
  return JSON.stringify(document);
}

function token(claims: { readonly [name: string]: unknown } = {}): string {
  return issuer.sign({ sub: "alice", aud: ["shop"], ...claims });
}

async function replacePolicies(content: string): Promise<void> {
  await writeFile(join(directory, "next"), content);
  await rename(join(directory, "next"), join(directory, "policies", "shop.json"));
}

async function start(upstreamUrl: string): Promise<void> {
  const flags = `--policies ${join(directory, "policies")} --upstream ${upstreamUrl} --listen 127.0.0.1:0 --workload shop/app=cart`;
  gateway = spawnShell(`${process.execPath} deploy/examples/gateway/main.ts ${flags}`, root);
  [, url = ""] = await gateway.printed(/listening on (\S+)\n/);
}

/** Whether the gateway still listens. */
async function canConnect(): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const connected = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-example-"));
  await mkdir(join(directory, "policies"));
  await replacePolicies(policies("shop"));
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  await start(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}`);
});

afterAll(async () => {
  gateway.child.kill("SIGKILL");
  await gateway.exit;
  await upstream[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

test("passes requests on with who they are from, and nobody's own word for it", async () => {
  passed = [];
  const spoofed = { "x-user": "root", x_user: "root", "x-forwarded-for": "10.9.9.9" };
  const headers = { ...spoofed, authorization: `Bearer ${token()}` };
  const answer = await fetch(`${url}/cart?a=1`, { method: "POST", body: "ä".repeat(100_000), headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-upstream")).toBe("yes");
  expect(await answer.text()).toBe("ä".repeat(100_000));
  await fetch(url, { headers: spoofed });
  expect(passed[0]?.request.url).toBe("/cart?a=1");
  expect(passed[0]?.request.headers).toMatchObject({ "x-user": "alice", "x-forwarded-for": "127.0.0.1" });
  expect(passed[0]?.request.headers.authorization).toBeUndefined();
  expect(passed[1]?.request.headers["x-user"]).toBeUndefined();
  expect(passed[1]?.request.headers.x_user).toBeUndefined();
});

test("asks the policies of its example", async () => {
  passed = [];
  const text = await readFile(join(root, "deploy/examples/gateway/policies/authorization-policies.yaml"), "utf8");
  const file = join(directory, "policies", "authorization-policies.yaml");
  await writeFile(join(directory, "next"), text.replace("http://127.0.0.1:15080/*", `${issuer.issuer}/*`));
  await rename(join(directory, "next"), file);
  const asAlice = { headers: { authorization: `Bearer ${token()}` } };
  await expect.poll(async () => (await fetch(`${url}/cart`)).status, { timeout: 30_000, interval: 100 }).toBe(403);
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(`${url}/cart`, asAlice)).status).toBe(200);
  const denied = await fetch(`${url}/admin/users`, asAlice);
  expect([denied.status, await denied.text()]).toEqual([403, "RBAC: access denied"]);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const lines = [
    "GET /public/%2e%2e/admin HTTP/1.1",
    "host: shop.example",
    `authorization: Bearer ${token()}`,
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n`);
  expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 403 /);
  await rm(file);
  await expect.poll(async () => (await fetch(`${url}/cart`)).status, { timeout: 30_000, interval: 100 }).toBe(200);
});

test("answers what must not go on", async () => {
  passed = [];
  const expired = await fetch(url, { headers: { authorization: `Bearer ${token({ exp: 1 })}` } });
  expect([expired.status, await expired.text()]).toEqual([401, "Jwt is expired"]);
  expect(expired.headers.get("www-authenticate")).toContain('error="invalid_token"');
  const elsewhere = await fetch(url, { headers: { authorization: `Bearer ${token({ aud: ["bank"] })}` } });
  expect([elsewhere.status, await elsewhere.text()]).toEqual([403, "Audiences in Jwt are not allowed"]);
  expect(passed).toEqual([]);
});

test("drops no header on the way because a client names it in `connection`", async () => {
  passed = [];
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  const lines = [
    "GET / HTTP/1.1",
    "host: shop.example",
    "connection: close, x-user",
    `authorization: Bearer ${token()}`,
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n`);
  expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 400 /);
  expect(passed).toEqual([]);
});

test("takes new policies over while it runs, and keeps good ones when they break", async () => {
  await replacePolicies(policies("bank"));
  const asBank = { headers: { authorization: `Bearer ${token({ aud: ["bank"] })}` } };
  await expect.poll(async () => (await fetch(url, asBank)).status, { timeout: 30_000, interval: 100 }).toBe(200);
  await replacePolicies(
    '{"apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "shop"',
  );
  await expect
    .poll(() => gateway.output.stderr, { timeout: 30_000 })
    .toMatch(/"problems":\["[^\n]*"policies in force"/);
  expect((await fetch(url, asBank)).status).toBe(200);
});

test("ends when it is asked to, after the requests under way", async () => {
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  passed = [];
  const answer = fetch(url);
  await expect.poll(() => passed.length, { timeout: 30_000 }).toBe(1);
  gateway.child.kill("SIGTERM");
  await expect.poll(canConnect, { timeout: 30_000 }).toBe(false);
  opened.resolve();
  gate = undefined;
  expect((await answer).status).toBe(200);
  expect(await gateway.exit).toBe(0);
});

test("answers 502 when nobody is there", async () => {
  await start("http://127.0.0.1:9");
  expect((await fetch(url)).status).toBe(502);
});
