import type { Logger } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import type { FileSecretEvents } from "./sds/file-secrets.ts";

/** Names are clients' and may be long. */
const maxNameLength = 256;

/** Turns what happens to secrets in files into log lines. */
export function reportFileSecrets(logger: Logger): FileSecretEvents {
  const short = <E extends { readonly name: string }>(event: E): E => ({
    ...event,
    name: event.name.slice(0, maxNameLength),
  });
  return {
    loaded: (event) => logEvent(logger, agentEvents.secretFilesLoaded, short(event)),
    unusable: (event) => logEvent(logger, agentEvents.secretFilesUnusable, short(event)),
    tooMany: (event) => logEvent(logger, agentEvents.secretFilesTooMany, short(event)),
  };
}
