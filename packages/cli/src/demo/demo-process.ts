import { rmSync } from "node:fs";
import { parseSettings, settingsHelp } from "@signet/runtime";
import { makeDemoDirectory } from "./demo-directory.ts";
import { demoSettings } from "./demo-settings.ts";
import type { DemoReport } from "./report.ts";
import { runDemo } from "./run-demo.ts";
import { createTimeline, wantsColour } from "./timeline.ts";

// Runs below main.ts, as the leader of the process group that everything the demo starts is in.
const directory = makeDemoDirectory();
const stopping = new AbortController();

process.on("SIGTERM", () => stopping.abort(new Error("stopped")));
// main.ts is gone without a word (kill -9): end the group, this process with it, so that nothing is left behind.
process.once("disconnect", endGroup);
// That may have been before this line ran.
if (!process.connected) {
  endGroup();
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!stopping.signal.aborted) {
    throw error;
  }
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
  process.removeListener("disconnect", endGroup);
  process.disconnect?.();
}

function endGroup(): void {
  rmSync(directory, { recursive: true, force: true });
  process.kill(-process.pid, "SIGKILL");
}

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseSettings(demoSettings, { args, env: {} });
  if (parsed.kind === "help") {
    process.stdout.write(
      settingsHelp(demoSettings, { command: "npm run demo --", summary: "The main job, with real Envoys." }),
    );
    return 0;
  }
  if (parsed.kind === "invalid") {
    process.stderr.write(`${parsed.problems.map((problem) => `demo: ${problem}`).join("\n")}\n`);
    return 2;
  }
  const settings = parsed.values;
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  const write = (text: string): unknown => (settings.json ? undefined : process.stdout.write(text));
  const timeline = createTimeline({ write, colour: wantsColour(process.stdout, process.env), elapsed });
  const onReport = (report: DemoReport): void => {
    if (settings.json) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
    } else {
      timeline.say(report.ok ? "all as it must be" : "NOT as it must be", report.ok ? "good" : "bad");
    }
  };
  const warn = (line: string): unknown => process.stderr.write(`${line}\n`);
  const options = { settings, directory, env: process.env, timeline, warn, elapsed, onReport };
  return (await runDemo(options, stopping.signal)) ? 0 : 1;
}
