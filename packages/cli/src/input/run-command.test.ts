import { setting } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { runCommand } from "./run-command.ts";

const about = { command: "signet try", words: "<file>", summary: "Tries." };
const settings = { times: setting.duration({ flag: "times", minMs: 0, maxMs: 9, default: 1, description: "a time" }) };

async function run(args: readonly string[], body: () => Promise<number>) {
  const written = { stdout: "", stderr: "" };
  const to = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
  const io = { stdout: to("stdout"), stderr: to("stderr") };
  return { code: await runCommand(about, settings, { args, env: {}, io }, body), ...written };
}

describe("a command", () => {
  it("returns the exit code of what it runs", async () => {
    expect(await run([], async () => 1)).toEqual({ code: 1, stdout: "", stderr: "" });
  });

  it("prints help with its words and runs nothing", async () => {
    const { code, stdout } = await run(["--help"], () => Promise.reject(new Error("ran")));
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: signet try <file> [flags]\n\nTries.\n");
  });

  it("tells every problem with its settings and runs nothing", async () => {
    const { code, stderr } = await run(["--times", "never", "--other"], async () => 0);
    expect(code).toBe(2);
    expect(stderr.match(/^signet try: /gm)).toHaveLength(2);
  });

  it("tells each line of an error, with nothing in it that moves a cursor", async () => {
    const failed = await run([], () => Promise.reject(new Error("first\nsecond \u001b[2J")));
    expect(failed).toEqual({ code: 2, stdout: "", stderr: "signet try: first\nsignet try: second \\u001b[2J\n" });
  });
});
