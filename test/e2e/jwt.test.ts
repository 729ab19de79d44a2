import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const env = { PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter), HOME: process.env.HOME };

let directory = "";
let closers: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-jwt-"));
  closers = [];
});

afterEach(async () => {
  await Promise.all(closers.map((close) => close()));
  rmSync(directory, { recursive: true, force: true });
});

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line in the checkout, with `stdin` piped into it. */
async function shell(commandLine: string, stdin = ""): Promise<Ran> {
  const running = promisify(execFile)("sh", ["-c", commandLine], { cwd: root, env });
  running.child.stdin?.end(stdin);
  return await running.then(
    (output) => ({ code: 0, ...output }),
    ({ code, stdout, stderr }: Ran) => ({ code, stdout, stderr }),
  );
}

function put(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function rulesOf(...rules: readonly object[]): string {
  const metadata = { name: "jwt", namespace: "foo" };
  return put(
    "rules.yaml",
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "RequestAuthentication",
      metadata,
      spec: { jwtRules: rules },
    }),
  );
}

function requestWith(token: string): string {
  return JSON.stringify({
    request: { http: { method: "GET", path: "/", headers: { authorization: `Bearer ${token}` } } },
  });
}

/** An HTTP server with one document, and what it was asked for. */
async function serve(
  path: string,
  document: () => string,
): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(request.url === path ? 200 : 404).end(request.url === path ? document() : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe("signet jwt verify", () => {
  const issuer: TestIssuer = testIssuer({ issuer: "https://issuer.example", kid: "k1" });

  test("fetches the keys of a rule once, for all requests of the input", async () => {
    const keys = await serve("/jwks", () => issuer.jwks);
    const rules = rulesOf({ issuer: issuer.issuer, jwksUri: `${keys.url}/jwks` });
    const lines = [issuer.sign({ sub: "a" }), issuer.sign({ sub: "b" })].map(requestWith).join("\n");
    const { code, stdout, stderr } = await shell(`signet jwt verify --rules ${rules} --request - --json`, lines);
    expect(stderr).toBe("");
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).requestPrincipal),
    ).toEqual(["https://issuer.example/a", "https://issuer.example/b"]);
    expect(code).toBe(0);
    expect(keys.asked).toEqual(["/jwks"]);
  });

  test("makes no connection for an issuer whose keys were given", async () => {
    const connections: unknown[] = [];
    const silent = createTcpServer((socket) => {
      connections.push(socket);
      socket.destroy();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => silent.close(resolve)));
    const jwksUri = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/jwks`;
    const rules = rulesOf({ issuer: issuer.issuer, jwksUri });
    const given = `--jwks ${issuer.issuer}=${put("keys.json", issuer.jwks)}`;
    const request = put("request.json", requestWith(issuer.sign()));
    const offline = await shell(`signet jwt verify --rules ${rules} --request ${request} --json ${given}`);
    expect(JSON.parse(offline.stdout)).toMatchObject({ status: 200 });
    expect(connections).toHaveLength(0);
    const online = await shell(`signet jwt verify --rules ${rules} --request ${request} --json`);
    expect(JSON.parse(online.stdout)).toMatchObject({ status: 401, code: "keys-unavailable" });
    expect(connections).not.toHaveLength(0);
  });

  test("ends with 1 where a line is bad, and gives the others their results", async () => {
    const rules = rulesOf({ issuer: issuer.issuer, jwks: issuer.jwks });
    const { code, stdout, stderr } = await shell(
      `signet jwt verify --rules ${rules} --request - --json`,
      `${requestWith(issuer.sign())}\n{"request": "x"}\n${requestWith("x")}\n`,
    );
    expect(code).toBe(1);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).status),
    ).toEqual([200, 401]);
    expect(stderr).toBe("signet jwt verify: line 2: request cannot be used: it is text, and not an object\n");
  });

  test("keeps to its own command line", async () => {
    expect(await shell("signet jwt verify --request -")).toMatchObject({ code: 2, stdout: "" });
    expect(await shell("signet jwt")).toMatchObject({ code: 2, stderr: expect.stringContaining("signet jwt explain") });
  });
});

describe("signet jwt explain", () => {
  test("tells a key that is not among those just fetched", async () => {
    const issuer = testIssuer({ issuer: "https://issuer.example", kid: "k1" });
    const keys = await serve("/jwks", () => issuer.jwks);
    const rules = rulesOf({ issuer: issuer.issuer, jwksUri: `${keys.url}/jwks` });
    const { code, stdout } = await shell(
      `signet jwt explain - --rules ${rules}`,
      testIssuer({ issuer: issuer.issuer, kid: "k2" }).sign(),
    );
    expect(stdout).toMatch(
      /key-not-found: key id "k2" with algorithm "ES256" is not in the JWKS fetched (now|\d+ seconds? ago), which has "k1"/,
    );
    expect(code).toBe(1);
  });
});

describe("the commands that documents show", () => {
  /** Each shell block with the console block that follows it, if one does. */
  function commandsOf(path: string): readonly { readonly command: string; readonly shown: string | undefined }[] {
    const text = readFileSync(join(root, path), "utf8");
    const blocks = [...text.matchAll(/^```sh\n(npx signet jwt .*?)^```\n(?:\n```console\n(.*?)^```$)?/gms)];
    return blocks.map(([, command = "", shown]) => ({ command, shown }));
  }

  test.each(["README.md", "docs/request-authentication.md"])("in %s print what they say", async (path) => {
    const commands = commandsOf(path);
    expect(commands.length).toBeGreaterThan(0);
    for (const { command, shown } of commands) {
      const { stdout, stderr } = await shell(command.replaceAll("npx signet", "signet"));
      expect(stderr, command).toBe("");
      expect(stdout, command).not.toBe("");
      if (shown !== undefined) expect(stdout).toContain(shown);
    }
  });
});

test("ends without a word when who reads the output has had enough", async () => {
  const rules = rulesOf({
    issuer: "https://issuer.example",
    jwks: testIssuer({ issuer: "https://issuer.example" }).jwks,
  });
  const request = put("many.ndjson", `${requestWith("a.b.c")}\n`.repeat(5_000));
  const ran = await shell(`signet jwt verify --rules ${rules} --request ${request} --json | head -n 1`);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(ran.stdout)).toMatchObject({ status: 401 });
});
