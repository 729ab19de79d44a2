import type { Logger } from "@signet/runtime";

/** Every line the CA server logs: its constant message, its level, its fields. `docs/events.md` says what each means. */
export const logEvents = {
  "ca server started": {
    level: "info" as const,
    fields: [
      "caAddress",
      "readyAddress",
      "monitoringAddress",
      "trustDomain",
      "signingCa",
      "origin",
      "issuers",
    ] as const,
  },
  "ca server ready": { level: "info" as const, fields: [] as const },
  "ca server not ready": { level: "warn" as const, fields: ["problems"] as const },
  "ca server draining": { level: "info" as const, fields: ["graceMs"] as const },
  "ca server stopped": { level: "info" as const, fields: [] as const },
  "shutdown step failed": { level: "error" as const, fields: ["step", "error"] as const },
  "background task failed": { level: "error" as const, fields: ["error"] as const },
  "certificate issued": {
    level: "info" as const,
    fields: [
      "spiffeId",
      "serialNumber",
      "notAfter",
      "impersonator",
      "authenticator",
      "peerAddress",
      "signingCa",
      "durationMs",
    ] as const,
  },
  "certificate refused": {
    level: "warn" as const,
    fields: [
      "spiffeId",
      "code",
      "error",
      "impersonator",
      "authenticator",
      "peerAddress",
      "signingCa",
      "durationMs",
    ] as const,
  },
  "certificate request timed out": { level: "warn" as const, fields: ["peerAddress", "deadlineMs"] as const },
  "caller refused": {
    level: "warn" as const,
    fields: ["reason", "attempts", "clusterId", "peerAddress", "transport"] as const,
  },
  "impersonation refused": {
    level: "warn" as const,
    fields: ["spiffeId", "requested", "reason", "detail", "clusterId", "podName", "peerAddress"] as const,
  },
  "call failed": { level: "error" as const, fields: ["service", "method", "error"] as const },
  "connection failed": { level: "debug" as const, fields: ["error"] as const },
  "serving certificate refused": { level: "error" as const, fields: ["error"] as const },
  "serving certificate issued": { level: "info" as const, fields: ["names", "serialNumber", "notAfter"] as const },
  "serving certificate renewal failed": { level: "warn" as const, fields: ["error", "retryMs", "notAfter"] as const },
  "token issuer keys fetched": { level: "info" as const, fields: ["issuer", "keyCount", "skipped"] as const },
  "token issuer keys unavailable": { level: "warn" as const, fields: ["issuer", "error"] as const },
  "kubernetes collection known": { level: "info" as const, fields: ["cluster", "collection"] as const },
  "kubernetes collection unavailable": {
    level: "warn" as const,
    fields: ["cluster", "collection", "error"] as const,
  },
  "remote cluster connected": { level: "info" as const, fields: ["cluster", "secret", "server"] as const },
  "remote cluster removed": { level: "info" as const, fields: ["cluster", "secret"] as const },
  "remote cluster refused": { level: "warn" as const, fields: ["cluster", "secret", "error", "kept"] as const },
  "no token issuer configured": { level: "warn" as const, fields: [] as const },
  "ca key readable by others": { level: "warn" as const, fields: ["path"] as const },
};

type LogEvents = typeof logEvents;

/** The message of one of the CA server's log lines. */
export type LogEventName = keyof LogEvents;

/** The facts that a line of this name carries. */
export type LogEventFields<Name extends LogEventName> = {
  readonly [Field in LogEvents[Name]["fields"][number]]: unknown;
};

/** Writes one line, with exactly the fields that its declaration names. */
export function logEvent<Name extends LogEventName>(logger: Logger, name: Name, fields: LogEventFields<Name>): void {
  logger[logEvents[name].level](name, fields);
}
