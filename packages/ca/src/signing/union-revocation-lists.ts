import { createSource, type Source } from "@signet/runtime";
import { combinedSource } from "./combined-source.ts";

/** A Source of the revocation lists of two CAs, one after the other; it has no value while neither publishes any. */
export function unionRevocationLists(
  first: Source<string> | undefined,
  second: Source<string> | undefined,
): Source<string> {
  return combinedSource(first ?? createSource<string>(), second ?? createSource<string>(), (a, b) =>
    a === undefined || b === undefined ? (a ?? b) : [a, b].filter((pem) => pem !== "").join("\n"),
  );
}
