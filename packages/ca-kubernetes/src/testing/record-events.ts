import type { CsrSigningEvents } from "../csr-events.ts";
import type { RootPublisherEvents } from "../root-publishing.ts";
import type { SecretCaEvents } from "../secret-ca.ts";

/** Events as they came, by name. */
export type Recorded = { readonly name: string; readonly event: Readonly<Record<string, unknown>> };

/** Returns events of every kind that are kept in `all`. */
export function recordEvents(): SecretCaEvents &
  CsrSigningEvents &
  RootPublisherEvents & { readonly all: readonly Recorded[]; names(): readonly string[]; clear(): void } {
  const all: Recorded[] = [];
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
