import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwtUnverified } from "@signet/jwt";
import { testSigningKey } from "@signet/jwt/testing";
import { ensurePrivateDirectory } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tokenIssuerFiles, writeIssuerKeys, writeIssuerUrl } from "./dev/token-issuer-files.ts";
import { createKeys } from "./dev/token-issuer-keys.ts";
import { runToken } from "./token.ts";

let stateDirectory: string;

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), "signet-token-"));
});

afterEach(async () => {
  await rm(stateDirectory, { recursive: true });
});

async function fillState(): Promise<void> {
  await ensurePrivateDirectory(stateDirectory);
  await writeIssuerUrl(stateDirectory, "http://127.0.0.1:15080");
  const keys = await createKeys(new Date(0), async () => testSigningKey("RS256", "token"));
  await writeIssuerKeys(stateDirectory, keys);
}

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: "", err: "" };
  const code = await runToken(
    args,
    { SIGNET_STATE_DIR: stateDirectory },
    {
      stdout: { write: (text) => (written.out += text) },
      stderr: { write: (text) => (written.err += text) },
    },
  );
  return { code, ...written };
}

const who = ["--namespace", "demo", "--service-account", "frontend"];

describe("runToken", () => {
  it("prints a token, a newline and nothing else", async () => {
    await fillState();
    const { code, out, err } = await run(...who);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { claims } = decodeJwtUnverified(out.trim());
    expect(claims).toMatchObject({
      iss: "http://127.0.0.1:15080",
      sub: "system:serviceaccount:demo:frontend",
      aud: ["istio-ca"],
    });
    expect(Number(claims.exp) - Number(claims.iat)).toBe(3600);
  });

  it("takes audiences, a lifetime and a state directory", async () => {
    await fillState();
    const flags = ["--audience", "a,b", "--audience=c", "--ttl", "90s", "--state-dir", stateDirectory];
    const { claims } = decodeJwtUnverified((await run(...who, ...flags)).out.trim());
    expect(claims.aud).toEqual(["a", "b", "c"]);
    expect(Number(claims.exp) - Number(claims.iat)).toBe(90);
  });

  it("says what to do where no issuer ever ran", async () => {
    expect(await run(...who)).toEqual({
      code: 1,
      out: "",
      err: `signet token: no token issuer in ${stateDirectory}: start \`signet dev\` first\n`,
    });
  });

  it("says what is wrong with a damaged state", async () => {
    await fillState();
    await writeFile(tokenIssuerFiles(stateDirectory).keys, "{}");
    const { code, out, err } = await run(...who);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("keys.json is damaged");
  });

  it.each<[string, readonly string[], readonly string[]]>([
    ["nothing", [], ["--namespace is required", "--service-account is required"]],
    ["half of it", ["--namespace", "demo"], ["--service-account is required"]],
    [
      "names that are none",
      ["--namespace", "A", "--service-account", "a:b"],
      ["a namespace has", "a service account has"],
    ],
    ["an unknown flag", [...who, "--pod", "x"], ["pod"]],
    ["a stray word", [...who, "frontend"], ["frontend"]],
    ["a lifetime that is none", [...who, "--ttl", "1d"], ["--ttl"]],
    ["a lifetime of nothing", [...who, "--ttl", "0s"], ["below the minimum 1s"]],
    ["a lifetime past a week", [...who, "--ttl", "169h"], ["above the maximum 168h0m0s"]],
    ["no audience", [...who, "--audience", ""], ["--audience names no audience"]],
  ])("exits with 2 on %s", async (_, args, problems) => {
    await fillState();
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, ""]);
    for (const problem of problems) expect(err).toContain(problem);
    expect(
      err
        .trimEnd()
        .split("\n")
        .every((line) => line.startsWith("signet token: ")),
    ).toBe(true);
  });

  it("explains itself", async () => {
    const { code, out, err } = await run("--help");
    expect([code, err]).toEqual([0, ""]);
    for (const flag of ["--namespace", "--service-account", "--audience", "--ttl", "--state-dir", "SIGNET_STATE_DIR"]) {
      expect(out).toContain(flag);
    }
  });
});
