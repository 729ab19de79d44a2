import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@signet/runtime/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VaultError } from "./errors.ts";
import { createLoginMethod, type LoginMethod } from "./login-method.ts";
import type { VaultRequest } from "./vault-client.ts";
import type { VaultAuth } from "./vault-settings.ts";

const never = new AbortController().signal;
const clock = new FakeClock();
const granted = { auth: { client_token: "hvs.new", lease_duration: 60, renewable: true } };
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-login-"));
  await writeFile(join(directory, "secret"), "  s3cret\n");
  await writeFile(join(directory, "empty"), "\n");
  await writeFile(join(directory, "lines"), "two\nlines");
  await writeFile(join(directory, "large"), "x".repeat(65_537));
});

afterAll(() => rm(directory, { recursive: true }));

function open(auth: VaultAuth, answer: unknown = granted): { method: LoginMethod; sent: VaultRequest[] } {
  const sent: VaultRequest[] = [];
  const client = {
    async call(request: VaultRequest) {
      sent.push(request);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  return { method: createLoginMethod(auth, { client, clock }), sent };
}

describe("createLoginMethod", () => {
  it.each<[string, () => VaultAuth, string, unknown]>([
    [
      "an AppRole",
      () => ({ kind: "approle", mount: "team/approle", roleId: "r", secretIdFile: join(directory, "secret") }),
      "auth/team/approle/login",
      { role_id: "r", secret_id: "s3cret" },
    ],
    [
      "an AppRole without secret",
      () => ({ kind: "approle", mount: "approle", roleId: "r" }),
      "auth/approle/login",
      { role_id: "r" },
    ],
    [
      "a service account",
      () => ({ kind: "kubernetes", mount: "kubernetes", role: "signet", tokenFile: join(directory, "secret") }),
      "auth/kubernetes/login",
      { role: "signet", jwt: "s3cret" },
    ],
    ["a certificate", () => ({ kind: "cert", mount: "cert" }), "auth/cert/login", {}],
    ["a certificate and a role", () => ({ kind: "cert", mount: "cert", role: "r" }), "auth/cert/login", { name: "r" }],
  ])("logs in with %s, and sends no token", async (_, auth, path, data) => {
    const { method, sent } = open(auth());
    const lease = { token: "hvs.new", obtainedAt: clock.now(), leaseMs: 60_000, renewable: true };
    expect(await method.login(never)).toEqual(lease);
    expect(sent).toEqual([{ kind: "write", path, data, operation: "login" }]);
  });

  it.each<[string, unknown, unknown]>([
    [
      "with time left",
      { ttl: 60, renewable: true, expire_time: "2027-01-01T00:00:00Z" },
      { leaseMs: 60_000, renewable: true },
    ],
    ["about to expire", { ttl: 0, renewable: false, expire_time: "2027-01-01T00:00:00Z" }, { leaseMs: 0 }],
    ["without end", { ttl: 0, renewable: false, expire_time: null }, { leaseMs: undefined, renewable: false }],
  ])("looks up a token %s", async (_, data, expected) => {
    const { method, sent } = open({ kind: "token-file", path: join(directory, "secret") }, { data });
    expect(await method.login(never)).toMatchObject({ token: "s3cret", ...Object(expected) });
    expect(sent).toEqual([{ kind: "read", path: "auth/token/lookup-self", token: "s3cret", operation: "lookup" }]);
  });

  it.each(["permission-denied", "refused", "not-found"] as const)(
    "takes %s for a refusal of its credentials",
    async (code) => {
      const { method } = open(
        { kind: "approle", mount: "approle", roleId: "r" },
        new VaultError(code, "no", { status: 400 }),
      );
      await expect(method.login(never)).rejects.toMatchObject({ code: "login-refused", message: "no", status: 400 });
    },
  );

  it("passes on whatever keeps Vault from answering", async () => {
    const sealed = new VaultError("sealed", "Vault is sealed");
    await expect(open({ kind: "cert", mount: "cert" }, sealed).method.login(never)).rejects.toBe(sealed);
  });

  it.each(["missing", "empty", "lines", "large"])(
    "names a token file that is %s, without its content",
    async (name) => {
      const { method, sent } = open({ kind: "token-file", path: join(directory, name) });
      const error: unknown = await method.login(never).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "config-invalid", message: expect.stringContaining(join(directory, name)) });
      expect([String(error).includes("two"), sent]).toEqual([false, []]);
    },
  );

  it.each([
    [null],
    [{}],
    [{ auth: null }],
    [{ auth: { client_token: "", lease_duration: 1 } }],
    [{ auth: { client_token: "a\r\nb", lease_duration: 1 } }],
    [{ auth: { client_token: "a", lease_duration: -1 } }],
    [{ auth: { client_token: "a", lease_duration: 1, renewable: "yes" } }],
  ])("does not take %j for a token", async (answer) => {
    const { method } = open({ kind: "cert", mount: "cert" }, answer);
    await expect(method.login(never)).rejects.toMatchObject({ code: "response-malformed" });
  });
});
