import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { type AuthzEvent, authzEvents } from "./events.ts";

test("docs/events.md lists the events with their levels and fields, and no others", async () => {
  const text = await readFile(new URL("../../../docs/events.md", import.meta.url), "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith("Authorization server\n")) ?? "";
  const rows = section.matchAll(/^\| `([^`]+)` \| (debug|info|warn|error) \|([^|]*)\| [^|]+ \|$/gm);
  const documented = [...rows].map(([, message = "", level = "", fields = ""]) => ({
    level,
    message,
    fields: [...fields.matchAll(/`([^`]+)`/g)].map(([, field = ""]) => field),
  }));
  const events: readonly AuthzEvent[] = Object.values(authzEvents);
  expect(documented).toEqual(events);
});
