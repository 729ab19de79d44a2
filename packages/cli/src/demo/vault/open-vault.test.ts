import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openVault, type VaultOpening } from "./open-vault.ts";

let directory = "";
let server: Server | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signet-open-vault-"));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

async function open(env: Readonly<Record<string, string>>, ensureProgram?: string): Promise<VaultOpening> {
  const options = { env, directory, ...(ensureProgram !== undefined && { ensureProgram }) };
  return await openVault(options, AbortSignal.timeout(20_000));
}

function ensuring(script: string): string {
  const path = join(directory, "ensure.mjs");
  writeFileSync(path, script);
  return path;
}

/** Answers seal-status as Vault does, and everything else with `status`. */
async function answering(status: number): Promise<string> {
  const started = createServer((request, response) => {
    const known = request.url === "/v1/sys/seal-status";
    response.writeHead(known ? 200 : status).end(known ? '{"version":"1.21.0"}' : "{}");
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  const address = started.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

describe("openVault", () => {
  test("says why there is none, in the words of who looked", async () => {
    const program = ensuring(`console.log(JSON.stringify({ kind: "no-go", reason: "there is no Go here" }))`);
    expect(await open({}, program)).toEqual({ kind: "unavailable", reason: "there is no Go here" });
    expect(readdirSync(directory)).toEqual(["ensure.mjs"]);
  });

  test("says so when who looks says nothing", async () => {
    const unavailable = { kind: "unavailable", reason: expect.stringContaining("ensure-vault") };
    expect(await open({}, ensuring("process.exit(1)"))).toEqual(unavailable);
  });

  test("leaves nothing of a Vault that does not start", async () => {
    const program = ensuring(`console.log(JSON.stringify({ kind: "found", path: "/bin/false" }))`);
    expect(await open({}, program)).toMatchObject({ kind: "unavailable", reason: expect.stringContaining("Vault") });
    expect(readdirSync(directory)).toEqual(["ensure.mjs"]);
  });

  const cases: readonly (readonly [what: string, status: number, said: string])[] = [
    ["is sealed", 503, "sealed"],
    ["does not know the token", 403, "VAULT_TOKEN is refused"],
  ];
  test.each(cases)("does not use a Vault that %s", async (_what, status, said) => {
    const opening = await open({ VAULT_ADDR: await answering(status), VAULT_TOKEN: "t" });
    expect(opening).toEqual({ kind: "unavailable", reason: expect.stringContaining(said) });
  });

  test("does not guess a token, nor another address", async () => {
    expect(await open({ VAULT_ADDR: "http://127.0.0.1:1" })).toMatchObject({
      reason: expect.stringContaining("VAULT_TOKEN"),
    });
    const opening = await open({ VAULT_ADDR: "http://127.0.0.1:1", VAULT_TOKEN: "t" });
    expect(opening).toMatchObject({ kind: "unavailable", reason: expect.stringContaining("ECONNREFUSED") });
  });

  test("uses the one that VAULT_ADDR names, which is not ours to seal", async () => {
    const address = await answering(200);
    const opening = await open({ VAULT_ADDR: address, VAULT_TOKEN: "t" });
    expect(opening).toMatchObject({ kind: "open", server: { address, version: "1.21.0" } });
    expect(opening.kind === "open" && opening.server.own).toBeUndefined();
  });
});
