import { spawnSync } from "node:child_process";
import { RuntimeError } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type CallObserver, createVaultClient, type VaultClient, type VaultClientOptions } from "./vault-client.ts";
import type { TransportRequest, TransportResponse, VaultTransport } from "./vault-transport.ts";

const never = new AbortController().signal;
const address = "https://vault.example:8200";

afterEach(() => {
  vi.unstubAllEnvs();
});

type Call = Parameters<CallObserver>[0];

async function open(
  send: (request: TransportRequest, signal: AbortSignal) => Promise<TransportResponse> | TransportResponse = () =>
    answer(200, "{}"),
  options: Partial<VaultClientOptions> = {},
): Promise<{ client: VaultClient; clock: FakeClock; sent: TransportRequest[]; calls: Call[] }> {
  const clock = new FakeClock();
  const sent: TransportRequest[] = [];
  const calls: Call[] = [];
  const transport: VaultTransport = {
    async send(request, signal) {
      sent.push(request);
      return await send(request, signal);
    },
    useTls: () => undefined,
    close: () => undefined,
  };
  const observe: CallObserver = (call) => calls.push(call);
  const client = await createVaultClient({ address, timeoutMs: 5000, ...options }, { transport, clock, observe });
  return { client, clock, sent, calls };
}

function answer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): TransportResponse {
  return { status, body, headers };
}

const read = { kind: "read", path: "pki/issuer/default", token: "hvs.t", operation: "issuers" } as const;

describe("createVaultClient", () => {
  it("sends the verbs of the API", async () => {
    const { client, sent } = await open();
    await client.call(read, never);
    await client.call({ ...read, kind: "list", path: "pki/issuers" }, never);
    await client.call({ ...read, kind: "write", path: "pki/sign/signet", data: { csr: "x" } }, never);
    expect(sent.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["GET", `${address}/v1/pki/issuer/default`, undefined],
      ["GET", `${address}/v1/pki/issuers?list=1`, undefined],
      ["POST", `${address}/v1/pki/sign/signet`, '{"csr":"x"}'],
    ]);
  });

  it("sends token, namespace and Vault's own header with every call, and to a login no token", async () => {
    const { client, sent } = await open(undefined, { namespace: "mesh" });
    await client.call(read, never);
    await client.call({ kind: "write", path: "auth/approle/login", data: {}, operation: "login" }, never);
    expect(sent[0]?.headers).toMatchObject({
      "X-Vault-Token": "hvs.t",
      "X-Vault-Namespace": "mesh",
      "X-Vault-Request": "true",
    });
    expect(sent[1]?.headers).toMatchObject({ "X-Vault-Namespace": "mesh", "X-Vault-Request": "true" });
    expect(sent[1]?.headers).not.toHaveProperty("X-Vault-Token");
  });

  it("takes nothing from the environment", async () => {
    vi.stubEnv("VAULT_ADDR", "https://elsewhere.example");
    vi.stubEnv("VAULT_TOKEN", "hvs.elsewhere");
    vi.stubEnv("VAULT_NAMESPACE", "elsewhere");
    vi.stubEnv("VAULT_PREFIX", "/elsewhere");
    const { client, sent } = await open();
    await client.call(
      { kind: "write", path: "auth/approle/login", data: { secret_id: "s" }, operation: "login" },
      never,
    );
    expect(JSON.stringify(sent)).not.toContain("elsewhere");
  });

  it("writes nothing where DEBUG asks for everything, which would be tokens and secrets", () => {
    const file = JSON.stringify(new URL("./vault-client.ts", import.meta.url).href);
    const code = `
      const { createVaultClient } = await import(${file});
      const transport = { send: async () => ({ status: 200, headers: {}, body: "{}" }) };
      const clock = { now: () => new Date(), sleep: () => new Promise(() => {}) };
      const options = { address: "https://vault.example", timeoutMs: 1000 };
      const client = await createVaultClient(options, { transport, clock, observe: () => {} });
      const request = { kind: "write", path: "auth/approle/login", data: { secret_id: "s3cret" }, operation: "login" };
      await client.call(request, new AbortController().signal);
      process.stdout.write("called");`;
    const env = { PATH: process.env.PATH, DEBUG: "*" };
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      env,
    });
    expect([stdout, stderr]).toEqual(["called", ""]);
  });

  it("has one token in one call and another in the next", async () => {
    const { client, sent } = await open();
    await Promise.all(["a", "b"].map((token) => client.call({ ...read, token }, never)));
    expect(sent.map(({ headers }) => headers["X-Vault-Token"])).toEqual(["a", "b"]);
  });

  it("returns the body, which may be none", async () => {
    const { client } = await open(() => answer(200, '{"data":{"a":1}}'));
    expect(await client.call(read, never)).toEqual({ data: { a: 1 } });
    const { client: empty } = await open(() => answer(204, ""));
    expect(await empty.call(read, never)).toBeUndefined();
  });

  it("says how Vault refuses, in its own words, and for how long it wants to be left alone", async () => {
    const { client } = await open(() => answer(429, '{"errors":["quota exceeded"]}', { "retry-after": "3" }));
    const expected = { code: "rate-limited", status: 429, message: "quota exceeded", retryAfterMs: 3000 };
    await expect(client.call(read, never)).rejects.toMatchObject(expected);
  });

  it.each([
    ["a page", 200, "<html>hvs.secretsecret</html>", "response-malformed"],
    ["half of an answer", 200, '{"data":{"a"', "response-malformed"],
    ["a page of a proxy that has lost Vault", 502, "<html>bad gateway</html>", "unavailable"],
    ["another success", 202, "{}", "unavailable"],
  ])("does not take %s for an answer", async (_, status, body, code) => {
    const { client } = await open(() => answer(status, body));
    const error: unknown = await client.call(read, never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify([error, String(error)])).not.toContain("hvs.");
  });

  it("does not take an error for an answer because its path looks like that of health", async () => {
    const { client } = await open(() => answer(403, '{"errors":["permission denied"]}'));
    await expect(client.call({ ...read, path: "sys/health/pki" }, never)).rejects.toMatchObject({
      code: "permission-denied",
    });
  });

  it("ends a call at its deadline, and the connection with it", async () => {
    let ended: unknown;
    const { client, clock, calls } = await open(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            ended = signal.reason;
            reject(signal.reason);
          });
        }),
    );
    const outcome = client.call(read, never).catch((error: unknown) => error);
    await clock.advance(5000);
    expect(await outcome).toMatchObject({ code: "deadline-exceeded" });
    expect(ended).toBeInstanceOf(RuntimeError);
    expect(calls).toEqual([{ operation: "issuers", outcome: "deadline-exceeded", durationMs: 5000 }]);
  });

  it("ends with the reason of the caller's signal", async () => {
    const leaving = new AbortController();
    const { client, calls } = await open(() => new Promise(() => undefined));
    const call = client.call(read, leaving.signal);
    const reason = new Error("went away");
    leaving.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(calls).toMatchObject([{ outcome: "aborted" }]);
  });

  it("tells of every call how it went", async () => {
    const { client, calls } = await open(({ url }) => answer(url.endsWith("default") ? 200 : 403, "{}"));
    await client.call(read, never);
    await client.call({ ...read, path: "pki/issuer/x" }, never).catch(() => undefined);
    expect(calls.map(({ outcome }) => outcome)).toEqual(["ok", "permission-denied"]);
  });
});
