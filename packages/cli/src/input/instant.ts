/** RFC 3339 section 5.6. */
const instant = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Returns the instant that a text such as `2026-01-31T12:00:00Z` names; throws for any other text. */
export function parseInstant(text: string): Date {
  const at = new Date(text.toUpperCase());
  if (!instant.test(text) || Number.isNaN(at.getTime())) {
    throw new Error("an instant is written as 2026-01-31T12:00:00Z");
  }
  return at;
}
