import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type AgentEvent, agentEvents } from "./events.ts";

const eventsFile = new URL("../../../docs/events.md", import.meta.url);

/** The rows of one section of docs/events.md. */
async function documentedEvents(heading: string): Promise<readonly AgentEvent[]> {
  const text = await readFile(eventsFile, "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.matchAll(/^\| `([^`]+)` \| (debug|info|warn|error) \|([^|]*)\| [^|]+ \|$/gm);
  return [...rows].map(([, message = "", level = "", fields = ""]) => ({
    message,
    level: level as AgentEvent["level"],
    fields: [...fields.matchAll(/`([^`]+)`/g)].map(([, field = ""]) => field),
  }));
}

describe("docs/events.md", () => {
  it("lists the agent's events with their levels and fields, and no others", async () => {
    const events: readonly AgentEvent[] = Object.values(agentEvents);
    expect(await documentedEvents("Agent")).toEqual(events);
  });
});
