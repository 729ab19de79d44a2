import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rename, symlink } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { testIssuer } from "@signet/jwt/testing";
import { parseTrustDomain } from "@signet/spiffe";
import {
  certificatePem,
  encodePem,
  generateKeyPair,
  parseCertificate,
  privateKeyPem,
  randomSerialNumber,
  selfSignRoot,
  signLeaf,
} from "@signet/x509";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clusterAt, connectionManager } from "../differential/support/bootstrap.ts";
import { type EchoUpstream, readEcho, startEchoUpstream } from "../differential/support/echo-upstream.ts";
import { type EnvoyProcess, startEnvoyProcess } from "../differential/support/envoy-process.ts";
import { valuesOf } from "../differential/support/http1.ts";
import { RawConnection, type RawResponse } from "../differential/support/raw-client.ts";
import { findTestEnvoy } from "./support/envoy.ts";
import { type ProgramProcess, spawnSignet } from "./support/signet-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const binary = await findTestEnvoy();
const issuer = testIssuer({ issuer: "https://issuer.example", kid: "k1" });

let directory = "";
let programs: ProgramProcess[] = [];

/** Starts `signet authz` and waits until it serves; resolves with its first log line after that. */
async function startAuthz(args: readonly string[], cwd = directory): Promise<ProgramProcess> {
  const program = spawnSignet(["authz", "--status-listen", "127.0.0.1:0", ...args], {}, cwd);
  programs.push(program);
  await logged(program, "authorization server started");
  return program;
}

async function logged(program: ProgramProcess, message: string, from = 0): Promise<Record<string, unknown>> {
  let ended = false;
  void program.exit.then(() => {
    ended = true;
  });
  for (;;) {
    const lines = program.output.stderr.slice(from).split("\n").slice(0, -1);
    const found = lines.find((line) => line.includes(`"msg":${JSON.stringify(message)}`));
    if (found !== undefined) return JSON.parse(found) as Record<string, unknown>;
    if (ended) throw new Error(`ended without ${message}: ${program.output.stderr}`);
    await sleep(20);
  }
}

function policy(name: string, spec: object, kind = "AuthorizationPolicy"): string {
  return JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace: "foo" }, spec });
}

/** A CA of this test. */
type Authority = {
  readonly rootPem: string;
  issue(name: string): Promise<{ readonly certPem: string; readonly keyPem: string }>;
  readonly server: { readonly certPem: string; readonly keyPem: string };
};

async function createAuthority(): Promise<Authority> {
  const rootKey = await generateKeyPair("P-256");
  const [notBefore, notAfter] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
  const organization = parseTrustDomain("cluster.local");
  const root = await selfSignRoot({
    key: rootKey,
    organization,
    notBefore,
    notAfter,
    serialNumber: randomSerialNumber(randomBytes),
  });
  const issuerOfAll = { certificate: parseCertificate(root), key: rootKey };
  const sign = async (name: { readonly kind: "uri" | "dns"; readonly value: string }) => {
    const key = await generateKeyPair("P-256");
    const template = { spki: key.spki, subjectAltNames: [name], notBefore, notAfter };
    const leaf = signLeaf({ template, issuer: issuerOfAll, serialNumber: randomSerialNumber(randomBytes) });
    return { certPem: certificatePem(parseCertificate(leaf)), keyPem: privateKeyPem(key, "pkcs8") };
  };
  return {
    rootPem: encodePem("CERTIFICATE", root),
    issue: (value) => sign({ kind: "uri", value }),
    server: await sign({ kind: "dns", value: "httpbin" }),
  };
}

/** A transport that only peers with a certificate come through. */
function mutualTls({ rootPem, server }: Authority): object {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificates: [
          { certificateChain: { inlineString: server.certPem }, privateKey: { inlineString: server.keyPem } },
        ],
        validationContext: { trustedCa: { inlineString: rootPem } },
      },
    },
  };
}

type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
};

async function ask(socket: string, { method = "GET", path = "/", headers = [] }: Asked = {}): Promise<RawResponse> {
  const connection = RawConnection.to({ path: socket });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const exchange = await connection.send(
    Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: httpbin.foo\r\n${lines}\r\n`, "latin1"),
  );
  connection.close();
  if (exchange.kind === "closed") throw new Error("the connection was closed without an answer");
  return exchange.response;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-authz-"));
  programs = [];
});

afterEach(async () => {
  for (const { child, exit } of programs) {
    child.kill("SIGKILL");
    await exit;
  }
  rmSync(directory, { recursive: true, force: true });
});

describe("signet authz", () => {
  test("does not start without documents, and says every problem of its command line", async () => {
    const bad = spawnSignet(["authz", "--socket-mode", "rw", "--workload", "Foo"], {}, directory);
    programs.push(bad);
    expect(await bad.exit).toBe(2);
    expect(bad.output.stderr).toContain("workload such as foo/app=httpbin is wanted");
    const gone = spawnSignet(["authz", "--policies", "nowhere"], {}, directory);
    programs.push(gone);
    expect(await gone.exit).toBe(1);
    expect(gone.output.stderr).toContain("nowhere cannot be read");
  });

  test("ends in order when it is asked to", async () => {
    writeFileSync(join(directory, "p.yaml"), "");
    const program = await startAuthz([
      "--policies",
      "p.yaml",
      "--workload",
      "foo",
      "--socket",
      join(directory, "a.sock"),
    ]);
    program.child.kill("SIGTERM");
    expect(await program.exit).toBe(0);
    expect(program.output.stderr).toContain("authorization server stopped");
  });

  test("serves the example of docs/ext-authz.md", async () => {
    const text = readFileSync(join(root, "docs/ext-authz.md"), "utf8");
    const command = /^```sh\nnpx signet authz (.*?)\n```$/ms.exec(text)?.[1] ?? "";
    const args = command.replace("/tmp/signet-authz.sock", join(directory, "a.sock")).split(/\s+/);
    const started = await startAuthz([...args, "--http-listen", "127.0.0.1:0"], root);
    const line = await logged(started, "authorization server started");
    for (const [path, status] of [
      ["/items", 200],
      ["/items/7", 200],
      ["/items/debug/x", 403],
      ["/other", 403],
    ] as const) {
      expect((await fetch(`http://${line.httpAddress}${path}`)).status, path).toBe(status);
    }
    expect(await (await fetch(`http://${line.statusAddress}/metrics`)).text()).toContain(
      'signet_authz_decisions{effect="deny",reason="deny-matched"} 1',
    );
    const denied = await logged(started, "request decided");
    expect(denied).toMatchObject({
      effect: "deny",
      reason: "deny-matched",
      policyId: "ns[shop]-policy[no-debug]-rule[0]",
      path: "/items/debug/x",
    });
  });
});

describe.skipIf(binary.skipped)(`behind a real Envoy ${binary.skipped}`, () => {
  let shared = "";
  let authority: Authority;
  let echo: EchoUpstream;
  let envoy: EnvoyProcess;
  const at = (name: string): string => join(shared, name);

  /** The filter as docs/ext-authz.md shows it. */
  function extAuthz(more: object = {}): object {
    const grpcService = { envoyGrpc: { clusterName: "authz" }, timeout: "10s" };
    return {
      name: "envoy.filters.http.ext_authz",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        ...{
          transportApiVersion: "V3",
          grpcService,
          encodeRawHeaders: true,
          includeTlsSession: true,
          failureModeAllow: false,
        },
        ...more,
      },
    };
  }

  /** Tells the client what the filter published. */
  const published = {
    responseHeadersToAdd: ["reason", "policy_id", "request_principal"].map((key) => ({
      header: { key: `x-${key.replace("_", "-")}`, value: `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:${key})%` },
    })),
  };

  beforeAll(async () => {
    shared = mkdtempSync(join(tmpdir(), "signet-authz-envoy-"));
    authority = await createAuthority();
    echo = await startEchoUpstream(at("echo.sock"));
    const http2 = {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicitHttpConfig: { http2ProtocolOptions: {} },
        },
      },
    };
    const listener = (name: string, filters: readonly object[]): object => ({
      name,
      address: { pipe: { path: at(`${name}.sock`) } },
      filterChains: [{ filters }],
    });
    const routeFor = (workload: string): object => ({
      virtualHosts: [
        {
          ...{ name: "all", domains: ["*"], ...published },
          routes: [{ match: { prefix: "" }, route: { cluster: "echo" } }],
          typedPerFilterConfig: {
            "envoy.filters.http.ext_authz": {
              "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
              checkSettings: { contextExtensions: { workload } },
            },
          },
        },
      ],
    });
    const tcp = [
      {
        name: "envoy.filters.network.ext_authz",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
          ...{ statPrefix: "tcp", transportApiVersion: "V3", grpcService: { envoyGrpc: { clusterName: "authz" } } },
        },
      },
      {
        name: "envoy.filters.network.tcp_proxy",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
          statPrefix: "tcp",
          cluster: "tcp-echo",
        },
      },
    ];
    envoy = await startEnvoyProcess({
      binary: binary.path,
      directory: shared,
      bootstrap: {
        staticResources: {
          clusters: [
            clusterAt("echo", at("echo.sock")),
            clusterAt("tcp-echo", at("tcp-echo.sock")),
            { ...clusterAt("authz", at("authz.sock")), ...http2 },
          ],
          listeners: [
            listener("httpbin", [connectionManager([extAuthz()], { routeConfig: routeFor("foo/app=httpbin") })]),
            listener("sleep", [connectionManager([extAuthz()], { routeConfig: routeFor("foo/app=sleep") })]),
            listener("nobody", [connectionManager([extAuthz()])]),
            listener("open", [connectionManager([extAuthz({ failureModeAllow: true })])]),
            listener("tcp", tcp),
            {
              name: "mtls",
              address: { pipe: { path: at("mtls.sock") } },
              filterChains: [
                {
                  filters: [connectionManager([extAuthz()], { routeConfig: routeFor("foo/app=httpbin") })],
                  transportSocket: mutualTls(authority),
                },
              ],
            },
          ],
        },
      },
    });
  });

  afterAll(async () => {
    await envoy?.stop();
    echo?.close();
    rmSync(shared, { recursive: true, force: true });
  });

  async function serve(documents: readonly string[], ...args: readonly string[]): Promise<ProgramProcess> {
    writeFileSync(join(directory, "policies.yaml"), documents.join("\n---\n"));
    rmSync(at("authz.sock"), { force: true });
    return await startAuthz([
      "--policies",
      "policies.yaml",
      "--socket",
      at("authz.sock"),
      "--decision-log",
      "all",
      ...args,
    ]);
  }

  const jwt = policy(
    "jwt",
    {
      jwtRules: [
        {
          issuer: issuer.issuer,
          jwks: issuer.jwks,
          fromParams: ["t"],
          fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
          outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
        },
      ],
    },
    "RequestAuthentication",
  );
  const allowAlice = policy("alice", {
    selector: { matchLabels: { app: "httpbin" } },
    rules: [{ when: [{ key: "request.auth.claims[sub]", values: ["alice"] }] }],
  });
  const denyAdmin = policy("admin", { action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin*"] } }] }] });
  const bearer = (token: string): Asked => ({ headers: [["authorization", `Bearer ${token}`]] });

  test("requests are let through with what the token says, or refused as by a proxy", async () => {
    await serve([jwt, allowAlice, denyAdmin]);
    const good = await ask(at("httpbin.sock"), {
      headers: [
        ["authorization", `Bearer ${issuer.sign({ sub: "alice" })}`],
        ["x-user", "admin"],
        ["cookie", "a=1"],
      ],
    });
    expect(good.status).toBe(200);
    const seen = readEcho(good.body);
    expect(valuesOf(seen?.headers ?? [], "x-user")).toEqual(["alice"]);
    expect(valuesOf(seen?.headers ?? [], "authorization")).toEqual([]);
    expect(valuesOf(seen?.headers ?? [], "cookie")).toEqual(["a=1"]);
    expect(valuesOf(good.headers, "x-reason")).toEqual(["allow-matched"]);
    expect(valuesOf(good.headers, "x-policy-id")).toEqual(["ns[foo]-policy[alice]-rule[0]"]);
    expect(valuesOf(good.headers, "x-request-principal")).toEqual(["https://issuer.example/alice"]);

    const bob = await ask(at("httpbin.sock"), bearer(issuer.sign({ sub: "bob" })));
    expect(bob).toMatchObject({ status: 403, body: "RBAC: access denied" });
    const expired = await ask(at("httpbin.sock"), bearer(issuer.sign({ exp: 1 })));
    expect(expired).toMatchObject({ status: 401, body: "Jwt is expired" });
    expect(valuesOf(expired.headers, "www-authenticate")).toEqual([
      'Bearer realm="http://httpbin.foo/", error="invalid_token"',
    ]);
    const admin = await ask(at("sleep.sock"), { path: "/admin/x?y" });
    expect(admin).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect((await ask(at("sleep.sock"))).status).toBe(200);
  });

  test("a token in the query is taken out of the path", async () => {
    await serve([jwt, allowAlice]);
    const { status, body } = await ask(at("httpbin.sock"), { path: `/x?a=1&t=${issuer.sign({ sub: "alice" })}&b=2` });
    expect(status).toBe(200);
    expect(readEcho(body)?.startLine).toBe("GET /x?a=1&b=2 HTTP/1.1");
  });

  test("each value of a repeated header is looked at", async () => {
    await serve([
      policy("role", { action: "DENY", rules: [{ when: [{ key: "request.headers[x-role]", values: ["guest"] }] }] }),
    ]);
    for (const [headers, status] of [
      [
        [
          ["x-role", "admin"],
          ["x-role", "guest"],
        ],
        403,
      ],
      [
        [
          ["x-role", "admin"],
          ["x-role", "user"],
        ],
        200,
      ],
    ] as const) {
      expect((await ask(at("httpbin.sock"), { headers })).status).toBe(status);
    }
  });

  test("a request of an unknown workload is refused, and with a default it is known", async () => {
    await serve([]);
    expect(await ask(at("nobody.sock"))).toMatchObject({
      status: 403,
      body: "the workload of this request is not known",
    });
    for (const { child, exit } of programs) {
      child.kill("SIGTERM");
      await exit;
    }
    await serve([], "--workload", "foo/app=httpbin");
    expect((await ask(at("nobody.sock"))).status).toBe(200);
  });

  test("CUSTOM providers are asked over gRPC and HTTP, and one that is not there denies", async () => {
    // Another server of ours stands in for each: it lets only /ok pass.
    writeFileSync(
      join(directory, "provider.yaml"),
      policy("ok", { rules: [{ to: [{ operation: { paths: ["/ok", "/check/ok"] } }] }] }),
    );
    const provider = await startAuthz([
      "--policies",
      "provider.yaml",
      "--workload",
      "foo",
      "--listen",
      "127.0.0.1:0",
      "--http-listen",
      "127.0.0.1:0",
    ]);
    const { address, httpAddress } = await logged(provider, "authorization server started");
    const portOf = (text: unknown): number => Number(String(text).split(":").at(-1));
    const extensionProviders = [
      { name: "grpc", envoyExtAuthzGrpc: { service: "127.0.0.1", port: portOf(address) } },
      { name: "http", envoyExtAuthzHttp: { service: "127.0.0.1", port: portOf(httpAddress), pathPrefix: "/check" } },
      { name: "away", envoyExtAuthzGrpc: { service: "127.0.0.1", port: 1, statusOnError: "503" } },
    ];
    writeFileSync(join(directory, "mesh.yaml"), JSON.stringify({ extensionProviders }));
    const custom = (name: string): string =>
      policy(name, {
        action: "CUSTOM",
        provider: { name },
        rules: [{ when: [{ key: "request.headers[x-by]", values: [name] }] }],
      });
    await serve([...["grpc", "http", "away", "unheard-of"].map(custom)], "--mesh-config", "mesh.yaml");
    const by = (name: string, path: string): Promise<RawResponse> =>
      ask(at("httpbin.sock"), { path, headers: [["x-by", name]] });
    for (const name of ["grpc", "http"]) {
      expect((await by(name, "/ok")).status, name).toBe(200);
      expect(await by(name, "/other"), name).toMatchObject({ status: 403, body: "RBAC: access denied" });
    }
    expect((await by("away", "/ok")).status).toBe(503);
    expect((await by("unheard-of", "/ok")).status).toBe(403);
    expect((await by("nobody", "/other")).status).toBe(200);
  });

  test("plaintext is refused where mutual TLS is wanted", async () => {
    await serve([policy("strict", { mtls: { mode: "STRICT" } }, "PeerAuthentication")]);
    const { status, headers } = await ask(at("httpbin.sock"));
    expect(status).toBe(403);
    expect(valuesOf(headers, "x-reason")).toEqual(["mtls-required"]);
  });

  test("a peer is who its certificate says, and mutual TLS is what STRICT wants", async () => {
    const web = policy("web", { rules: [{ from: [{ source: { principals: ["cluster.local/ns/foo/sa/web"] } }] }] });
    await serve([policy("strict", { mtls: { mode: "STRICT" } }, "PeerAuthentication"), web]);
    const asPeer = async (name: string): Promise<string> => {
      const { certPem, keyPem } = await authority.issue(`spiffe://cluster.local/ns/foo/sa/${name}`);
      const socket = connectTls({
        path: at("mtls.sock"),
        ca: authority.rootPem,
        cert: certPem,
        key: keyPem,
        servername: "httpbin",
      });
      socket.write("GET / HTTP/1.1\r\nhost: httpbin.foo\r\nconnection: close\r\n\r\n");
      let answer = "";
      for await (const chunk of socket) answer += String(chunk);
      return answer;
    };
    expect(await asPeer("web")).toMatch(/^HTTP\/1\.1 200 /);
    const other = await asPeer("other");
    expect(other).toMatch(/^HTTP\/1\.1 403 /);
    expect(other).toContain("x-reason: no-allow-matched");
  });

  test("a connection of TCP is decided too", async () => {
    const upstream = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => upstream.listen(at("tcp-echo.sock"), resolve));
    const said = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = createConnection(at("tcp.sock"), () => socket.write("hello"));
        socket.once("data", (data) => {
          resolve(String(data));
          socket.destroy();
        });
        socket.once("close", () => resolve("closed"));
        socket.once("error", () => resolve("closed"));
      });
    try {
      await serve([], "--workload", "foo");
      expect(await said()).toBe("hello");
      for (const { child, exit } of programs) {
        child.kill("SIGTERM");
        await exit;
      }
      await serve([policy("nobody", {})], "--workload", "foo");
      expect(await said()).toBe("closed");
    } finally {
      upstream.close();
      rmSync(at("tcp-echo.sock"), { force: true });
    }
  });

  test("policies change under load, and no request is decided by less than the last good set", async () => {
    const policies = join(directory, "policies");
    const set = async (version: string, ...documents: readonly string[]): Promise<void> => {
      await mkdir(join(policies, version), { recursive: true });
      for (const [index, text] of documents.entries()) writeFileSync(join(policies, version, `${index}.yaml`), text);
      await symlink(version, join(policies, "..tmp"));
      await rename(join(policies, "..tmp"), join(policies, "..data"));
    };
    await set("..1", denyAdmin);
    rmSync(at("authz.sock"), { force: true });
    const program = await startAuthz(["--policies", policies, "--socket", at("authz.sock"), "--decision-log", "none"]);
    let stopped = false;
    let asked = 0;
    const statuses = new Set<number>();
    const load = (async () => {
      while (!stopped) {
        statuses.add((await ask(at("httpbin.sock"), { path: "/admin" })).status);
        asked += 1;
      }
    })();
    // Broken, half written, gone, and back as a whole: /admin is denied all the while.
    const steps: readonly (() => Promise<void>)[] = [
      () => set("..2", denyAdmin.replace("paths", "path")),
      () => set("..3", denyAdmin.slice(0, 60)),
      () => rename(policies, join(directory, "away")),
      () => rename(join(directory, "away"), policies),
      () => set("..4", denyAdmin, allowAlice),
    ];
    for (const step of steps) {
      const before = asked;
      await step();
      await sleep(800);
      expect(asked).toBeGreaterThan(before);
    }
    stopped = true;
    await load;
    expect([...statuses]).toEqual([403]);
    expect(program.output.stderr).toContain("its last good version stays in force");
    // The last set, whose ALLOW policy is new, is in force now.
    expect((await ask(at("httpbin.sock"), { path: "/other" })).status).toBe(403);
  });

  test("claims that are nested deeper than Envoy reads are no failure that lets through", async () => {
    await serve([jwt, denyAdmin], "--workload", "foo");
    let deep: object = {};
    for (let depth = 0; depth < 90; depth++) deep = { a: deep };
    const token = issuer.sign({ sub: "alice", deep });
    expect((await ask(at("open.sock"), { ...bearer(token), path: "/admin" })).status).toBe(403);
    expect((await ask(at("nobody.sock"), bearer(token))).status).toBe(200);
  });

  test("what cannot be decided in time is refused, unless it is left to Envoy", async () => {
    const stalled = createServer(() => undefined);
    await new Promise<void>((resolve) => stalled.listen(0, "127.0.0.1", resolve));
    const address = stalled.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const slow = policy(
      "jwt",
      { jwtRules: [{ issuer: issuer.issuer, jwksUri: `http://127.0.0.1:${port}/jwks` }] },
      "RequestAuthentication",
    );
    try {
      await serve([slow], "--deadline", "300ms", "--workload", "foo");
      expect(await ask(at("open.sock"), bearer(issuer.sign()))).toMatchObject({
        status: 503,
        body: "authorization is not available",
      });
      for (const { child, exit } of programs) {
        child.kill("SIGTERM");
        await exit;
      }
      await serve([slow], "--deadline", "300ms", "--workload", "foo", "--on-failure", "error");
      expect((await ask(at("open.sock"), bearer(issuer.sign()))).status).toBe(200);
      expect((await ask(at("nobody.sock"), bearer(issuer.sign()))).status).toBe(403);
    } finally {
      stalled.close();
    }
  });
});
