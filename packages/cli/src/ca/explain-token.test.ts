import { Socket } from "node:net";
import { testIssuer } from "@signet/jwt/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findCommand } from "../commands.ts";
import { runSignet } from "../main.ts";
import { createExplainFixture, type ExplainFixture, now } from "./testing/explain-fixture.ts";

const at = Date.parse(now) / 1000;
const clock = { now: () => new Date(now) };
const cluster = testIssuer({ issuer: "https://kubernetes.default.svc", clock });
const oidc = testIssuer({ issuer: "https://issuer.example", kid: "o1", clock });
const bound = {
  "kubernetes.io": {
    namespace: "demo",
    serviceaccount: { name: "frontend", uid: "sa-uid" },
    pod: { name: "frontend-0", uid: "pod-uid" },
    node: { name: "node-1", uid: "node-uid" },
  },
};

let fixture: ExplainFixture;
beforeEach(() => {
  fixture = createExplainFixture();
});
afterEach(() => {
  fixture.remove();
  vi.restoreAllMocks();
});

describe("the command", () => {
  it("reads standard input, also a whole header line", async () => {
    for (const stdin of [cluster.sign(bound), `Authorization: Bearer ${cluster.sign(bound)}\n`]) {
      const { code, out } = await fixture.run(["-", fixture.keysOf(cluster), "--now", now], { stdin });
      expect(code).toBe(0);
      expect(out).toContain("Accepted by kubernetes-token as spiffe://cluster.local/ns/demo/sa/frontend.");
    }
  });

  it("says in words what it found", async () => {
    const { out } = await fixture.run([
      fixture.put("token", cluster.sign({ ...bound, exp: at + 43_080 })),
      "--now",
      now,
    ]);
    expect(out).toContain('issuer     "https://kubernetes.default.svc"');
    expect(out).toContain("expires in 11 hours 58 minutes (2026-06-01T23:58:00Z)");
    expect(out).toContain("bound to   service account demo/frontend (UID sa-uid), pod demo/frontend-0 (UID pod-uid)");
    expect(out).toContain("kubernetes-token (local): cannot tell offline, and is not asked by this configuration");
    expect(out).toContain("kubernetes-token may, which cannot be told offline.");
    expect(out).toContain("It was assumed that the server runs in a Kubernetes cluster.");
    const inCluster = await fixture.run([fixture.put("token", "x"), "--now", now], {
      env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" },
    });
    expect(inCluster.out).not.toContain("assumed");
  });

  it("says the same as JSON, in a shape that programs can rely on", async () => {
    const { out } = await fixture.run([fixture.put("token", cluster.sign(bound)), "--json", "--now", now]);
    expect(JSON.parse(out)).toMatchObject({
      accepted: false,
      judgedAt: "2026-06-01T12:00:00.000Z",
      trustDomain: "cluster.local",
      clusterAssumed: true,
      token: {
        header: { alg: "ES256", kid: "test" },
        claims: { iss: cluster.issuer, exp: at + 3600, ...bound },
        times: { issued: "now (2026-06-01T12:00:00Z)", expiry: "expires in 1 hour (2026-06-01T13:00:00Z)" },
      },
      authenticators: [
        { authenticator: "client-certificate", configured: true, verdict: "not-applicable", hints: [] },
        { authenticator: "oidc-token", configured: false, verdict: "refuses" },
        { authenticator: "kubernetes-token", mode: "review", configured: true, verdict: "cannot-tell" },
        { authenticator: "kubernetes-token", mode: "local", configured: false, verdict: "cannot-tell" },
        { authenticator: "forwarded-client-cert", configured: false, verdict: "not-applicable" },
      ],
    });
  });

  it("never shows the signature, and nothing that a terminal would obey", async () => {
    const token = cluster.sign({ ...bound, note: "\u001b[2J\u009b2J\u202eevil" });
    const signature = token.slice(token.lastIndexOf(".") + 1);
    for (const format of [[], ["--json"]]) {
      const { out, err } = await fixture.run([
        fixture.put("token", token),
        fixture.keysOf(cluster),
        "--now",
        now,
        ...format,
      ]);
      expect(out + err).not.toContain(signature);
      expect(out).not.toContain(token.slice(0, token.lastIndexOf(".")));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });

  it("opens no connection", async () => {
    const connect = vi.spyOn(Socket.prototype, "connect").mockImplementation(() => expect.unreachable("a connection"));
    const { code } = await fixture.run([fixture.put("token", oidc.sign()), "--issuer", oidc.issuer, "--now", now]);
    expect(code).toBe(1);
    expect(connect).not.toHaveBeenCalled();
  });

  it.each<[string, (token: string) => readonly string[], RegExp]>([
    ["no file", () => [], /the file that holds the token is missing/],
    ["two files", (token) => [token, token], /more than one file/],
    ["a file that is not there", () => ["/nonexistent"], /cannot read \/nonexistent/],
    ["an empty file", () => [fixture.put("empty", " \n")], /holds no token/],
    ["a file that is too large", () => [fixture.put("large", "a".repeat(65_537))], /more than 65536 bytes/],
    ["a JWKS that is none", (token) => [token, `--jwks=a=${fixture.put("jwks", "{}")}`], /jwks: .*keys/],
    ["a JWKS that is not there", (token) => [token, "--jwks", "a=/nonexistent"], /cannot read \/nonexistent/],
    ["--jwks without an issuer", (token) => [token, "--jwks", "keys.json"], /not <issuer>=<file>/],
    ["--jwks of one issuer twice", (token) => [token, "--jwks", "a=b,a=c"], /twice/],
    ["an instant that is none", (token) => [token, "--now", "yesterday"], /an instant is written as/],
    ["an instant that never was", (token) => [token, "--now", "2026-13-01T00:00:00Z"], /an instant is written as/],
    ["an unknown flag", (token) => [token, "--nonsense"], /unknown flag --nonsense/],
    ["a setting of the server that is not valid", (token) => [token, "--jwt-rule", "{"], /jwt-rule/],
  ])("with %s says so and ends with 2", async (_, args, message) => {
    const token = cluster.sign(bound);
    const { code, out, err } = await fixture.run(args(fixture.put("token", token)));
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    expect(err).not.toContain(token);
  });

  it("stands under `signet ca`, and leaves the rest of that to the server", async () => {
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    expect(await runSignet(["ca", "explain-token", "--help"], {})).toBe(0);
    expect(
      await runSignet(
        ["ca", "explain-token", fixture.put("token", cluster.sign(bound)), fixture.keysOf(cluster), "--now", now],
        {},
      ),
    ).toBe(0);
    expect(await runSignet(["ca", "--help"], {})).toBe(0);
    const [explainHelp, report, caHelp] = out.mock.calls.map(([text]) => String(text));
    expect(explainHelp).toMatch(/^Usage: signet ca explain-token <file>/);
    expect(report).toContain("Accepted by kubernetes-token");
    expect(caHelp).toMatch(/^Usage: signet ca \[flags\]/);
    expect(findCommand(["explain-token"])).toBeUndefined();
  });
});
