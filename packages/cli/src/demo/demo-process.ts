import { rmSync } from "node:fs";
import { parseSettings, settingsHelp } from "@signet/runtime";
import { type DemoSettings, demoSettings } from "./demo-settings.ts";
import type { DemoReport } from "./report.ts";
import { runDemo } from "./run-demo.ts";
import { createTimeline, wantsColour } from "./timeline.ts";
import { openVault } from "./vault/open-vault.ts";
import type { VaultServer } from "./vault/vault-server.ts";

// Runs below main.ts, as the leader of the process group that everything the demo starts is in.
if (process.send === undefined) {
  throw new Error("only main.ts can start this");
}
/** Besides 0, all is well, and 1, it is not. */
const exitCodes = { usage: 2, unavailable: 3 } as const;

const [directory = "", ...args] = process.argv.slice(2);
const stopping = new AbortController();

process.on("SIGTERM", () => stopping.abort(new Error("stopped")));
// main.ts is gone without a word (kill -9): end the group, this process with it, so that nothing is left behind.
process.once("disconnect", endGroup);
// That may have been before this line ran.
if (!process.connected) {
  endGroup();
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!stopping.signal.aborted) {
    throw error;
  }
  process.exitCode = 1;
} finally {
  process.removeListener("disconnect", endGroup);
  process.disconnect?.();
}

function verdictOf({ ok, rotations }: DemoReport): string {
  return ok
    ? `Nobody noticed: ${rotations.frontend} and ${rotations.backend} rotations, no request lost, no stranger let in.`
    : "Not as it must be.";
}

function endGroup(): void {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } finally {
    process.kill(-process.pid, "SIGKILL");
  }
}

async function main(): Promise<number> {
  const parsed = parseSettings(demoSettings, { args, env: {} });
  if (parsed.kind === "help") {
    process.stdout.write(
      settingsHelp(demoSettings, { command: "npm run demo --", summary: "The main job, with real Envoys." }),
    );
    return 0;
  }
  if (parsed.kind === "invalid") {
    for (const problem of parsed.problems) warn(problem);
    return exitCodes.usage;
  }
  const settings = parsed.values;
  if (settings.ca === "self-signed") return await play(settings);
  const opening = await openVault({ env: process.env, directory }, stopping.signal);
  if (opening.kind === "unavailable") {
    warn(`--ca vault needs a Vault, and there is none: ${opening.reason}`);
    return exitCodes.unavailable;
  }
  try {
    return await play(settings, opening.server);
  } finally {
    await opening.server.close();
  }
}

async function play(settings: DemoSettings, vault?: VaultServer): Promise<number> {
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  const write = (text: string): unknown => (settings.json ? undefined : process.stdout.write(text));
  const timeline = createTimeline({ write, colour: wantsColour(process.stdout, process.env), elapsed });
  const onReport = (report: DemoReport): void => {
    if (settings.json) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
    } else {
      timeline.say(verdictOf(report), report.ok ? "good" : "bad");
    }
  };
  timeline.title("Two workloads, their agents and their sidecars; certificates that live for 10 seconds.");
  const options = { settings, directory, env: process.env, timeline, warn, elapsed, onReport };
  return (await runDemo({ ...options, ...(vault && { vault }) }, stopping.signal)) ? 0 : 1;
}

function warn(line: string): void {
  process.stderr.write(`demo: ${line}\n`);
}
