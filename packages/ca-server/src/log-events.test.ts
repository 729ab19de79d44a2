import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fakeLogger } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { logEvent, logEvents } from "./log-events.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/events.md"), "utf8");

/** The rows of the table under one heading: message, level, fields. */
function documented(heading: string): Record<string, { level: string; fields: string[] }> {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return Object.fromEntries(
    rows.map((row) => {
      const [, message = "", level = "", fields = ""] = row.split("|").map((cell) => cell.trim());
      return [
        message.replaceAll("`", ""),
        { level, fields: [...fields.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? "") },
      ];
    }),
  );
}

describe("log events", () => {
  it("are the rows of docs/events.md, with level and fields", () => {
    const declared = Object.entries(logEvents).map(([name, { level, fields }]) => [
      name,
      { level, fields: [...fields] },
    ]);
    expect(Object.keys(declared).length).toBeGreaterThan(10);
    expect(documented("CA server")).toEqual(Object.fromEntries(declared));
  });

  it("are written at their level with their fields", () => {
    const logger = fakeLogger();
    logEvent(logger, "shutdown step failed", { step: "drain calls", error: "x" });
    expect(logger.lines).toEqual([
      { level: "error", message: "shutdown step failed", fields: { step: "drain calls", error: "x" } },
    ]);
  });
});
