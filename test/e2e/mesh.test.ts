import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const envoy = await findTestEnvoy();

type Outcome = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

async function runDemo(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const child = spawn("npm", ["run", "-s", "demo", "--", ...args], { cwd: root, env: { ...process.env, ...env } });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), promise]);
  return { exitCode, stdout, stderr };
}

const allIsWell = {
  ok: true,
  requests: expect.any(Number),
  failures: 0,
  connectionsLost: 0,
  rotations: { frontend: expect.any(Number), backend: expect.any(Number) },
  serialsSeen: expect.any(Number),
  peers: {
    frontend: "spiffe://cluster.local/ns/demo/sa/backend",
    backend: "spiffe://cluster.local/ns/demo/sa/frontend",
  },
  strangersRefused: 3,
  seconds: expect.any(Number),
};

function checkReport({ exitCode, stdout, stderr }: Outcome, version: string | undefined): void {
  const lines = stdout.trimEnd().split("\n");
  expect(lines, stderr).toHaveLength(1);
  const report = JSON.parse(lines[0] ?? "") as typeof allIsWell;
  expect(report).toEqual({ ...allIsWell, envoy: version === undefined ? null : { version } });
  expect(exitCode).toBe(0);
  expect(report.rotations.frontend).toBeGreaterThanOrEqual(3);
  expect(report.rotations.backend).toBeGreaterThanOrEqual(3);
  expect(report.serialsSeen).toBe(report.rotations.frontend + 1);
  expect(report.seconds).toBeLessThan(90);
  expect(report.requests).toBeGreaterThanOrEqual(20 * 20);
}

describe.skipIf(envoy.skipped)(`the demo with a real Envoy ${envoy.skipped}`, () => {
  test("rotates under traffic without a failure and refuses three strangers", async () => {
    checkReport(await runDemo(["--json"], {}), envoy.version);
  });
});

describe("the demo without an Envoy", () => {
  test("shows the same with Node's TLS on the same SDS, and says so", async () => {
    checkReport(await runDemo(["--json"], { ENVOY: "/nonexistent/envoy" }), undefined);
  });

  test("says what it was told and did not understand, and exits with 2", async () => {
    const { exitCode, stdout, stderr } = await runDemo(["--jsno"], {});
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("--jsno");
  });
});
