import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { shutdownSignal } from "./signals.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that says "ready", says "stopping" on the abort, and ends by itself only when `stops`. */
async function start(options: {
  stops: boolean;
  settleMs?: number;
}): Promise<{ child: ChildProcess; nextLine: () => Promise<string> }> {
  const script = `
    const { shutdownSignal } = await import(${JSON.stringify(new URL("./signals.ts", import.meta.url).href)});
    const signal = shutdownSignal(undefined, { settleMs: ${options.settleMs ?? 0} });
    const alive = setInterval(() => {}, 1000);
    signal.addEventListener("abort", () => {
      console.log("stopping");
      if (process.argv[1] === "stops") setTimeout(() => clearInterval(alive), 300);
    });
    console.log("ready");
  `;
  const word = options.stops ? "stops" : "hangs";
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, word], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  expect(await nextLine()).toBe("ready");
  return { child, nextLine };
}

describe("shutdownSignal", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("aborts on %s and lets the process end by itself", async (name) => {
    const { child, nextLine } = await start({ stops: true });
    const exited = once(child, "exit");
    child.kill(name);
    expect(await nextLine()).toBe("stopping");
    expect(await exited).toEqual([0, null]);
  });

  it.each([
    ["SIGTERM", "SIGTERM", 143],
    ["SIGTERM", "SIGINT", 130],
  ] as const)("ends the process at once on %s then %s, with %d", async (first, second, code) => {
    const { child, nextLine } = await start({ stops: false });
    const exited = once(child, "exit");
    child.kill(first);
    expect(await nextLine()).toBe("stopping");
    child.kill(second);
    expect(await exited).toEqual([code, null]);
  });

  it("takes a second signal soon after the first for the same one", async () => {
    const { child, nextLine } = await start({ stops: true, settleMs: 3_600_000 });
    const exited = once(child, "exit");
    child.kill("SIGINT");
    expect(await nextLine()).toBe("stopping");
    // It takes a moment to stop; a signal that counted would end it at once with 130.
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
  });

  it("listens only to the signals it is given", () => {
    const before = process.listenerCount("SIGTERM");
    const signal = shutdownSignal(["SIGUSR2"]);
    expect(process.listenerCount("SIGTERM")).toBe(before);
    expect(signal.aborted).toBe(false);
    process.emit("SIGUSR2");
    expect(signal.aborted).toBe(true);
    process.removeAllListeners("SIGUSR2");
  });
});
