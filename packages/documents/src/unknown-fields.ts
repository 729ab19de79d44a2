import type { FieldReader } from "./field-reader.ts";

/** Notes every field that nobody has asked for, as the API server's strict validation does: a typo must not go unseen. */
export function refuseUnknownFields(reader: FieldReader): void {
  for (const name of reader.unread()) reader.report("is not valid: unknown field", name);
}
