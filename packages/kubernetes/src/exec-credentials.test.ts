import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSource } from "./credentials.ts";
import { createExecCredentialSource, type ExecCommand } from "./exec-credentials.ts";

const apiVersion = "client.authentication.k8s.io/v1";
const never = new AbortController().signal;
let directory: string;
let clock: FakeClock;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-exec-"));
  clock = new FakeClock();
});

afterEach(() => rm(directory, { recursive: true }));

/** A program that notes each run and prints what is in a file. */
async function program(output: unknown): Promise<ExecCommand> {
  const command = join(directory, "credential");
  await prints(output);
  const script = `#!/bin/sh\necho "$1 $PROFILE $KUBERNETES_EXEC_INFO" >> ${directory}/runs\ncat ${directory}/output\n`;
  await writeFile(command, script);
  await chmod(command, 0o700);
  return { apiVersion, command, args: ["--json"], environment: { PROFILE: "demo" } };
}

async function prints(output: unknown): Promise<void> {
  await writeFile(join(directory, "output"), typeof output === "string" ? output : JSON.stringify(output));
}

async function runs(): Promise<readonly string[]> {
  return (await readFile(join(directory, "runs"), "utf8")).trim().split("\n");
}

function credential(token: string, expirationTimestamp?: string): unknown {
  return { apiVersion, kind: "ExecCredential", status: { token, ...(expirationTimestamp && { expirationTimestamp }) } };
}

const base = () => createCredentialSource({ ca: { text: "CA" } }, clock);

describe("createExecCredentialSource", () => {
  it("runs the program once for all who ask, and tells it what is asked", async () => {
    const source = createExecCredentialSource(await program(credential("abc")), base(), clock);
    const all = await Promise.all([1, 2, 3].map(() => source.current(never)));
    expect(all).toEqual([1, 2, 3].map(() => ({ caPem: "CA", token: "abc" })));
    expect(await source.current(never)).toBe(all[0]);
    const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false } });
    expect(await runs()).toEqual([`--json demo ${info}`]);
  });

  it("runs it again a minute before the credential expires", async () => {
    const expiry = new Date(clock.now().getTime() + 600_000).toISOString();
    const source = createExecCredentialSource(await program(credential("first", expiry)), base(), clock);
    expect((await source.current(never)).token).toBe("first");
    await prints(credential("second"));
    await clock.advance(539_999);
    expect((await source.current(never)).token).toBe("first");
    await clock.advance(1);
    expect((await source.current(never)).token).toBe("second");
  });

  it("runs it again after a refusal, but not more often than every 10 seconds", async () => {
    const source = createExecCredentialSource(await program(credential("first")), base(), clock);
    const first = await source.current(never);
    await prints(credential("second"));
    expect(await source.renewed(first, never)).toBeUndefined();
    await clock.advance(10_000);
    const second = await source.renewed(first, never);
    expect(second?.token).toBe("second");
    // Someone who was refused with the first gets what is there.
    expect(await source.renewed(first, never)).toBe(second);
    expect(await runs()).toHaveLength(2);
  });

  it("takes a client certificate", async () => {
    const status = { clientCertificateData: "certificate", clientKeyData: "key" };
    const source = createExecCredentialSource(await program({ apiVersion, status }), base(), clock);
    expect(await source.current(never)).toEqual({ caPem: "CA", certificatePem: "certificate", keyPem: "key" });
  });

  it.each<[string, unknown]>([
    ["no JSON", "secret-output"],
    ["another version", { apiVersion: "client.authentication.k8s.io/v1beta1", status: { token: "secret-output" } }],
    ["no status", { apiVersion }],
    ["no credential", { apiVersion, status: { clientKeyData: "secret-output" } }],
    ["no token", credential("secret-output\r\nx: y")],
    ["no time", credential("secret-output", "tomorrow")],
  ])("refuses %s, and repeats nothing of it", async (_, output) => {
    const source = createExecCredentialSource(await program(output), base(), clock);
    const failure = await source.current(never).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "config-invalid" });
    expect(String(failure)).not.toContain("secret-output");
  });

  it("says that the program failed, and is missing, without its words", async () => {
    const failing = { apiVersion, command: "sh", args: ["-c", "echo secret >&2; exit 3"], environment: {} };
    for (const [exec, code] of [
      [failing, "3"],
      [{ ...failing, command: join(directory, "none") }, "ENOENT"],
    ] as const) {
      const failure = await createExecCredentialSource(exec, base(), clock)
        .current(never)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "config-invalid",
        message: `the program of the kubeconfig failed: ${code}`,
      });
    }
  });

  it("refuses more than a megabyte", async () => {
    const output = credential("a".repeat(1_048_577));
    const source = createExecCredentialSource(await program(output), base(), clock);
    await expect(source.current(never)).rejects.toMatchObject({ code: "config-invalid" });
  });

  it("lets go of whoever gives up waiting", async () => {
    const slow = { apiVersion, command: "sleep", args: ["5"], environment: {} };
    const stop = new AbortController();
    const waiting = createExecCredentialSource(slow, base(), clock).current(stop.signal);
    stop.abort("enough");
    await expect(waiting).rejects.toBe("enough");
  });
});
