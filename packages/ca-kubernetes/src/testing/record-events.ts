import type { CsrSigningEvents } from "../csr-events.ts";
import type { RootPublisherEvents } from "../root-publishing.ts";
import type { SecretCaEvents } from "../secret-ca.ts";

/** One event. */
export type RecordedEvent = { readonly name: string; readonly event: Readonly<Record<string, unknown>> };

/** Events of every kind of this package, as they came. */
export interface RecordedEvents extends SecretCaEvents, CsrSigningEvents, RootPublisherEvents {
  readonly all: readonly RecordedEvent[];
  names(): readonly string[];
  clear(): void;
}

/**
 * Returns events that are kept in `all`.
 * @example
 * ```ts
 * import { recordEvents } from "@signet/ca-kubernetes/testing";
 * const events = recordEvents();
 * events.created({ secret: "istio-system/istio-ca-secret" });
 * events.names(); // ["created"]
 * ```
 */
export function recordEvents(): RecordedEvents {
  const all: RecordedEvent[] = [];
  const note = (name: string) => (event: Readonly<Record<string, unknown>>) => void all.push({ name, event });
  return {
    all,
    names: () => all.map(({ name }) => name),
    clear: () => void all.splice(0),
    created: note("created"),
    startDelayed: note("startDelayed"),
    secretMissing: note("secretMissing"),
    secretRestored: note("secretRestored"),
    restoreFailed: note("restoreFailed"),
    adopted: note("adopted"),
    refused: note("refused"),
    rootLearned: note("rootLearned"),
    probeFailed: note("probeFailed"),
    leftBehind: note("leftBehind"),
    publishFailed: note("publishFailed"),
    contested: note("contested"),
  };
}
