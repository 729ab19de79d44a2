import { existsSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";
import { type RunningDemo, startDemo } from "./support/running-demo.ts";

const envoy = await findTestEnvoy();

let demo: RunningDemo | undefined;
afterEach(async () => {
  await demo?.close();
  demo = undefined;
});

function programs({ below }: RunningDemo): readonly string[] {
  return below.flatMap(({ command }) => /envoy|signet\.js (dev|agent|authz)/.exec(command)?.[0] ?? []).sort();
}

const direct = ["node", "packages/cli/src/demo/main.ts"] as const;
const throughNpm = ["npm", "run", "-s", "demo"] as const;

describe.skipIf(envoy.skipped)(`nothing outlives the demo ${envoy.skipped}`, () => {
  const cases: readonly (readonly [
    what: string,
    command: readonly [string, ...string[]],
    end: (demo: RunningDemo) => void,
  ])[] = [
    ["after kill -9 of its process", direct, ({ pid }) => process.kill(pid, "SIGKILL")],
    ["after kill -9 of its process below npm", throughNpm, ({ pid }) => process.kill(pid, "SIGKILL")],
    ["after SIGTERM", direct, ({ pid }) => process.kill(pid, "SIGTERM")],
    ["after SIGTERM to npm", throughNpm, ({ child }) => child.kill("SIGTERM")],
    ["after Ctrl-C", direct, ({ pid }) => process.kill(pid, "SIGINT")],
  ];

  test.each(cases)("%s", async (_what, command, end) => {
    demo = await startDemo(command);
    const { child } = demo;
    expect(existsSync(demo.directory)).toBe(true);
    const agents = ["signet.js agent", "signet.js agent"];
    expect(programs(demo)).toEqual(["envoy", "envoy", ...agents, "signet.js authz", "signet.js dev"]);
    const closed = new Promise((resolve) => child.once("close", resolve));
    end(demo);
    await closed;
    await demo.expectAllGone();
  });

  test("after kill -9 of the process that does the work", async () => {
    demo = await startDemo(direct);
    const { child } = demo;
    const closed = new Promise((resolve) => child.once("close", resolve));
    process.kill(demo.pidOf("demo-process.ts"), "SIGKILL");
    expect(await closed).toBe(1);
    await demo.expectAllGone();
  });
});
