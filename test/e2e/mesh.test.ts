import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { checkReport, runDemo } from "./support/demo.ts";
import { findTestEnvoy } from "./support/envoy.ts";

const envoy = await findTestEnvoy();
const selfSigned = { signedBy: "O=cluster.local", vault: null };

describe.skipIf(envoy.skipped)(`the demo with a real Envoy ${envoy.skipped}`, () => {
  test("rotates under traffic without a failure, refuses three strangers, and explains a denied request", async () => {
    checkReport(await runDemo(["--json"], {}), { ...selfSigned, envoy: { version: envoy.version } });
  });
});

describe("the demo without an Envoy", () => {
  test("shows the same with Node's TLS on the same SDS, and says so", async () => {
    checkReport(await runDemo(["--json"], { ENVOY: "/nonexistent/envoy" }), { ...selfSigned, envoy: null });
  });

  test("says what it was told and did not understand, and exits with 2", async () => {
    const { exitCode, stdout, stderr } = await runDemo(["--jsno"], {});
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("--jsno");
  });
});

describe("the demo with --ca vault where there is no Vault", () => {
  const noVault = "demo: --ca vault needs a Vault, and there is none:";
  const cases: readonly (readonly [what: string, env: NodeJS.ProcessEnv, reason: string])[] = [
    ["and no Go to build one", {}, "is built from source and there is no Go here"],
    [
      "and VAULT_BINARY names none",
      { VAULT_BINARY: "/nonexistent/vault" },
      "VAULT_BINARY=/nonexistent/vault cannot be run",
    ],
    [
      "and CI is set",
      { VAULT_BINARY: "/nonexistent/vault", CI: "true" },
      "VAULT_BINARY=/nonexistent/vault cannot be run",
    ],
    ["but a VAULT_ADDR without a token", { VAULT_ADDR: "https://127.0.0.1:1" }, "VAULT_TOKEN"],
    ["at VAULT_ADDR", { VAULT_ADDR: "https://127.0.0.1:1", VAULT_TOKEN: "t" }, "ECONNREFUSED"],
  ];

  test.each(cases)("%s: says so, exits with 3 and leaves nothing", async (_what, env, reason) => {
    const directory = mkdtempSync(join(tmpdir(), "signet-no-vault-"));
    const inDirectory = { PATH: "", TMPDIR: directory, SIGNET_CACHE: join(directory, "cache") };
    const demo = join(import.meta.dirname, "../../packages/cli/src/demo/main.ts");
    const run = promisify(execFile)(process.execPath, [demo, "--ca", "vault"], { env: { ...inDirectory, ...env } });
    const { code, stdout, stderr } = await run.then(
      () => ({ code: 0, stdout: "", stderr: "" }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(new RegExp(`^${noVault} .*\n$`));
    expect(stderr).toContain(reason);
    expect(readdirSync(directory).filter((name) => name.startsWith("signet"))).toEqual([]);
    rmSync(directory, { recursive: true });
  });
});
