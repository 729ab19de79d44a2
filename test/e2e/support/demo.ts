import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What became of one run of the demo. */
export type DemoOutcome = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

/** Runs `npm run demo` to its end. */
export async function runDemo(args: readonly string[], env: NodeJS.ProcessEnv): Promise<DemoOutcome> {
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
  policy: {
    denied: { status: 403, body: "RBAC: access denied" },
    sentence:
      "denied: no ALLOW policy matched; closest is rule 0 of demo/backend, which wants source principal cluster.local/ns/demo/sa/fronted and the request has spiffe://cluster.local/ns/demo/sa/frontend; it would be allowed with source principal spiffe://cluster.local/ns/demo/sa/fronted",
    mendedStatus: 200,
    otherWorkload: { before: 200, after: 403 },
  },
  seconds: expect.any(Number),
};

/** What a report says of its surroundings. */
export type DemoSurroundings = {
  readonly envoy: { readonly version: string } | null;
  readonly signedBy: string;
  readonly vault: unknown;
};

/** Whether the demo printed one report, with all as it must be; returns it. */
export function checkReport({ exitCode, stdout, stderr }: DemoOutcome, surroundings: DemoSurroundings): DemoReport {
  const lines = stdout.trimEnd().split("\n");
  expect(lines, stderr).toHaveLength(1);
  const report = JSON.parse(lines[0] ?? "") as DemoReport;
  expect(report, stderr).toEqual({ ...allIsWell, ...surroundings });
  expect(exitCode).toBe(0);
  expect(report.rotations.frontend).toBeGreaterThanOrEqual(3);
  expect(report.rotations.backend).toBeGreaterThanOrEqual(3);
  expect(report.serialsSeen).toBe(report.rotations.frontend + 1);
  expect(report.seconds).toBeLessThan(90);
  expect(report.requests).toBeGreaterThanOrEqual(20 * 20);
  return report;
}

/** What is read of a report beyond what `checkReport` compares. */
export type DemoReport = {
  readonly requests: number;
  readonly rotations: { readonly frontend: number; readonly backend: number };
  readonly serialsSeen: number;
  readonly seconds: number;
  readonly vault: { readonly signatures: { readonly frontend: number; readonly backend: number } | null } | null;
};
